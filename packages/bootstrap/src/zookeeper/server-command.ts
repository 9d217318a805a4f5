import type { ZookeeperDeployment } from './place.ts'

const mainClass = 'org.apache.zookeeper.server.quorum.QuorumPeerMain'

// Three virtual machines share a small machine: a small heap, one thread that collects garbage, and the compiler that
// is done soon.
const memoryFlags = ['-Xmx96m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

// Nothing is left in /tmp; a server without memory ends instead of limping; and 127.0.0.1 is an IPv4 address.
const jvmFlags = ['-XX:-UsePerfData', '-XX:+ExitOnOutOfMemoryError', '-Djava.net.preferIPv4Stack=true']

// Containers and nodes whose time is over are looked for every second instead of every minute, so that somebody who
// waits for their end need not wait long.
const containerCheckFlag = '-Dznode.container.checkIntervalMs=1000'

/** The command line of a server that reads this configuration. */
export function serverArgv(deployment: ZookeeperDeployment, confPath: string): readonly string[] {
  const { java, classPath } = deployment.installation
  return [
    java,
    ...memoryFlags,
    ...jvmFlags,
    containerCheckFlag,
    ...loggingFlags(deployment),
    '-cp',
    classPath.join(':'),
    mainClass,
    confPath,
  ]
}

// Everything goes to standard output, which is the node's log. 3.8.0 as Debian builds it logs through log4j 1.2, later
// releases through logback; each reads its own property and ignores the other.
function loggingFlags({ folder }: ZookeeperDeployment): readonly string[] {
  return [
    `-Dlog4j.configuration=file:${folder}/log4j.properties`,
    `-Dlogback.configurationFile=${folder}/logback.xml`,
    '-Dzookeeper.jmx.log4j.disable=true',
  ]
}
