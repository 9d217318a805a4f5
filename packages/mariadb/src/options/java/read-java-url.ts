import { type JdbcHost, Problems, parseJdbcUrl } from '@ha/core/driver'
import type { HostInput } from '../hosts.ts'
import { overlay } from '../overlay.ts'
import { javaSslMode } from '../tls.ts'
import type { Translated } from '../translated.ts'
import { readJavaParameters } from './read-java-parameters.ts'

/** Reads a JDBC URL as Connector/J does. Throws one `config-invalid` that names everything wrong with its column. */
export function readJavaUrl(text: string): Translated {
  const { mode, hosts, database, parameters } = parseJdbcUrl(text)
  const problems = new Problems()
  const inputs = hosts.flatMap((host) => attempt(() => hostInput(host), problems))
  const { draft, warnings } = readJavaParameters(parameters, problems)
  problems.throwIfAny()
  return { draft: overlay({ mode, hosts: inputs, database }, draft), warnings }
}

function hostInput({ target, role, sslMode }: JdbcHost): HostInput {
  const tls =
    sslMode === undefined ? undefined : { mode: javaSslMode(sslMode.text, `url, column ${sslMode.column}`) }
  const place = target.kind === 'tcp' ? target.endpoint : { socketPath: target.path }
  return { ...place, role, ...(tls !== undefined && { tls }) }
}

function attempt<T>(read: () => T, problems: Problems): readonly T[] {
  try {
    return [read()]
  } catch (error) {
    problems.addError(error)
    return []
  }
}
