import { dirname } from 'node:path'
import type { ZookeeperDeployment, ZookeeperModel, ZookeeperNode } from './model.ts'

// Without these two the server grants 2 to 20 ticks, so that a lab with short ticks would grant no session of 30 s. Less
// than two ticks would be no session: followers hand over what they heard of it every half tick.
const minSessionMs = (tickMs: number): number => Math.max(2_000, 2 * tickMs)
const maxSessionMs = 60_000

/**
 * The text of a server's `zoo.cfg`. What the server does not know as a setting becomes a system property with
 * `zookeeper.` before it.
 */
export function renderConf(model: ZookeeperModel, node: ZookeeperNode, dataFolder: string): string {
  const { tickMs, initLimit, syncLimit, connectMs } = model.timers
  return [
    `tickTime=${tickMs}`,
    `initLimit=${initLimit}`,
    `syncLimit=${syncLimit}`,
    `cnxTimeout=${connectMs}`,
    `minSessionTimeout=${minSessionMs(tickMs)}`,
    `maxSessionTimeout=${maxSessionMs}`,
    `dataDir=${dataFolder}`,
    `clientPort=${node.clientPort}`,
    `clientPortAddress=${node.host}`,
    // All clients of a lab come from one address.
    'maxClientCnxns=0',
    'admin.enableServer=false',
    '4lw.commands.whitelist=srvr,mntr,ruok,stat,isro,conf',
    'reconfigEnabled=false',
    'extendedTypesEnabled=true',
    // In a lab only: nothing waits for the disk. Servers of a lab die by signals, which take nothing from the page
    // cache; what a power failure would take is not tested here.
    'forceSync=no',
    // In KiB. A transaction log takes 64 MiB of the disk by default, before anything is in it.
    'preAllocSize=1024',
    ...(model.nodes.length > 1 ? ensembleLines(model) : []),
    '',
  ].join('\n')
}

function ensembleLines({ nodes }: ZookeeperModel): readonly string[] {
  return [
    'quorumListenOnAllIPs=false',
    ...nodes.map(
      ({ id, host, quorumPort, electionPort }) => `server.${id}=${host}:${quorumPort}:${electionPort}`,
    ),
  ]
}

const level = 'INFO'

// Each look at a server's port would leave a stack trace, and each four-letter word a line.
const noisyLogger = 'org.apache.zookeeper.server.NIOServerCnxn'

/** The text of `log4j.properties`. */
export const log4jProperties: string = [
  `log4j.rootLogger=${level}, out`,
  `log4j.logger.${noisyLogger}=ERROR`,
  'log4j.appender.out=org.apache.log4j.ConsoleAppender',
  'log4j.appender.out.layout=org.apache.log4j.PatternLayout',
  'log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %-5p [%t:%c{1}] %m%n',
  '',
].join('\n')

/** The text of `logback.xml`. */
export const logbackXml: string = [
  '<configuration>',
  '  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">',
  '    <encoder><pattern>%d{ISO8601} %-5p [%t:%logger{1}] %m%n</pattern></encoder>',
  '  </appender>',
  `  <logger name="${noisyLogger}" level="ERROR"/>`,
  `  <root level="${level}"><appender-ref ref="out"/></root>`,
  '</configuration>',
  '',
].join('\n')

/** What the programs of a lab run with: nothing of the user's own environment leaks in, JAVA_TOOL_OPTIONS least of all. */
export function environment({ folder, installation }: ZookeeperDeployment): Readonly<Record<string, string>> {
  return {
    HOME: folder,
    LANG: 'C.UTF-8',
    PATH: [dirname(installation.java), '/usr/local/bin', '/usr/bin', '/usr/sbin', '/bin', '/sbin'].join(':'),
  }
}
