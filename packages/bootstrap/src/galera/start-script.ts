import { serverPaths } from '../mariadb/paths.ts'
import type { MariadbDeployment } from '../mariadb/place.ts'
import { shellQuote } from '../model/quoted.ts'

/**
 * The text of the script that starts a node. After a crash only the data know how far the node got, and without that
 * it would be given all data anew; the service of the package asks the data first, too. The script gives its place to
 * the server, so that its pid is the one that signals must hit.
 */
export function renderStartScript(deployment: MariadbDeployment, node: string): string {
  const { conf, data } = serverPaths(deployment, node)
  const server = `${shellQuote(deployment.installation.server)} --defaults-file=${shellQuote(conf)}`
  return [
    '#!/bin/sh',
    `if grep -q '^seqno: *-1$' ${shellQuote(`${data}/grastate.dat`)}; then`,
    `  position=$(${server} --wsrep-recover 2>&1 | sed -n 's/.*Recovered position: *\\([0-9a-f-]*:[0-9]*\\).*/\\1/p' | tail -n 1)`,
    'fi',
    `exec ${server} \${position:+--wsrep-start-position="$position"} "$@"`,
    '',
  ].join('\n')
}
