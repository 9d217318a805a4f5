import { dirname } from 'node:path'
import type { ZookeeperDeployment, ZookeeperModel, ZookeeperNode } from './model.ts'

// Without these two the server grants sessions of 2 to 20 ticks, so that a lab with short ticks would grant no session
// of 30 s. Less than two ticks would expire at once: followers report the activity of sessions every half tick.
const minSessionMs = (tickMs: number): number => Math.max(2_000, 2 * tickMs)
const maxSessionMs = 60_000

/**
 * The text of a server's `zoo.cfg`. Keys that the server does not know become system properties with the prefix
 * `zookeeper.`.
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
    // For labs only: the server does not wait for the disk. Servers of a lab are ended by signals, which do not affect
    // the page cache; power failures are not simulated.
    'forceSync=no',
    // In KiB. By default an empty transaction log takes 64 MiB of the disk.
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

// Each probe of a server's port would log a stack trace, and each four-letter word a line.
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

/**
 * The environment of the programs of a lab. It contains nothing of the user's environment, in particular no
 * JAVA_TOOL_OPTIONS.
 */
export function environment({ folder, installation }: ZookeeperDeployment): Readonly<Record<string, string>> {
  return {
    HOME: folder,
    LANG: 'C.UTF-8',
    PATH: [dirname(installation.java), '/usr/local/bin', '/usr/bin', '/usr/sbin', '/bin', '/sbin'].join(':'),
  }
}
