import type { MissingPrograms, RabbitSearch } from '../machine/rabbit-programs.ts'
import { labError } from '../model/codes.ts'

/** What `installServers` and `doctor` know about the machine they would install on. */
export interface Host {
  /** The words of ID and ID_LIKE in os-release: `debian`, `ubuntu`. */
  readonly families: readonly string[]
  readonly isRoot: boolean
}

/** How the servers get here: nothing to do, we can do it, or somebody else has to. */
export type InstallChoice =
  | { readonly kind: 'complete' }
  | { readonly kind: 'can-install'; readonly packages: readonly string[]; readonly argv: readonly string[] }
  | { readonly kind: 'ask'; readonly packages: readonly string[]; readonly command: string }

/** The Debian packages that hold the programs of a RabbitMQ lab; Erlang comes with the first. */
export const rabbitPackages: readonly string[] = ['rabbitmq-server']

// It holds erl, epmd and erl_call.
const erlangPackages: readonly string[] = ['erlang-base']

const aptArgv: readonly string[] = ['apt-get', 'install', '-y', '--no-install-recommends']

/**
 * Decides how missing programs are installed. A RabbitMQ that is there already may be in use: nothing is installed
 * over it, and what it lacks is for its owner to put right.
 */
export function chooseInstall(search: RabbitSearch, host: Host): InstallChoice {
  if (search.kind === 'found') return { kind: 'complete' }
  if (search.home !== undefined) {
    return { kind: 'ask', packages: erlangPackages, command: completion(search, search.home, host) }
  }
  const argv = [...aptArgv, ...rabbitPackages]
  if (!isDebian(host)) {
    const command = 'install RabbitMQ 3.10 or later with Erlang/OTP, and set RABBITMQ_HOME to its folder'
    return { kind: 'ask', packages: rabbitPackages, command }
  }
  if (!host.isRoot) return { kind: 'ask', packages: rabbitPackages, command: `sudo ${argv.join(' ')}` }
  return { kind: 'can-install', packages: rabbitPackages, argv }
}

/** What is said when a lab is wanted and its programs are not there. */
export function missingServers(search: MissingPrograms, host: Host): Error {
  const choice = chooseInstall(search, host)
  const fix =
    choice.kind === 'ask'
      ? choice.command
      : `hactl doctor --fix, or: ${aptArgv.join(' ')} ${rabbitPackages.join(' ')}`
  return labError('package-missing', `not found on this machine: ${search.programs.join(', ')}; type: ${fix}`)
}

function completion({ programs }: MissingPrograms, home: string, host: Host): string {
  const [names, it] = [programs.join(', '), programs.length === 1 ? 'it' : 'them']
  // Its version is read from its plugins: a folder without them is no whole installation.
  if (programs.includes('rabbitmq-server'))
    return `put the RabbitMQ in ${home} right: its plugins are not there`
  const apt = isDebian(host) ? `, or: sudo ${aptArgv.join(' ')} ${erlangPackages.join(' ')}` : ''
  return `export PATH="$PATH:<the folder of ${names}>": the RabbitMQ in ${home} is there without ${it}${apt}`
}

function isDebian(host: Host): boolean {
  return host.families.some((family) => family === 'debian' || family === 'ubuntu')
}
