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
