import { labError } from '../model/codes.ts'
import type { MissingPrograms, ServerPackages, ServerSearch } from './servers.ts'

/** What `installServers` and `doctor` know about the machine they would install on. */
export interface HostSystem {
  /** The words of ID and ID_LIKE in os-release: `debian`, `ubuntu`. */
  readonly families: readonly string[]
  readonly isRoot: boolean
}

/** How the servers get here: nothing to do, we can do it, or somebody else has to. */
export type InstallChoice =
  | { readonly kind: 'complete' }
  | { readonly kind: 'can-install'; readonly packages: readonly string[]; readonly argv: readonly string[] }
  | { readonly kind: 'ask'; readonly packages: readonly string[]; readonly command: string }

const aptArgv: readonly string[] = ['apt-get', 'install', '-y', '--no-install-recommends']

/**
 * Decides how missing programs are installed. A server that is there already may be in use: nothing is installed over
 * it, and what it lacks is for its owner to put right.
 */
export function chooseInstall(
  servers: ServerPackages,
  search: ServerSearch,
  host: HostSystem,
): InstallChoice {
  if (search.kind === 'found') return { kind: 'complete' }
  if (search.home !== undefined) {
    const packages = [...new Set(search.programs.map(servers.packageOf))]
    return { kind: 'ask', packages, command: completionCommand(servers, search, search.home, host) }
  }
  const { packages } = servers
  const argv = [...aptArgv, ...packages]
  if (!isDebian(host)) return { kind: 'ask', packages, command: servers.manualSteps }
  if (!host.isRoot) return { kind: 'ask', packages, command: `sudo ${argv.join(' ')}` }
  return { kind: 'can-install', packages, argv }
}

/** What is said when a lab is wanted and its programs are not there. */
export function missingServers(servers: ServerPackages, search: MissingPrograms, host: HostSystem): Error {
  const choice = chooseInstall(servers, search, host)
  const fix =
    choice.kind === 'ask'
      ? choice.command
      : `hactl doctor --fix, or: ${aptArgv.join(' ')} ${servers.packages.join(' ')}`
  return labError('package-missing', `not found on this machine: ${search.programs.join(', ')}; type: ${fix}`)
}

function completionCommand(
  servers: ServerPackages,
  { programs }: MissingPrograms,
  home: string,
  host: HostSystem,
): string {
  const [names, it] = [programs.join(', '), programs.length === 1 ? 'it' : 'them']
  // Its version is read from its plugins: a folder without them is no whole installation.
  if (programs.includes('rabbitmq-server'))
    return `put the RabbitMQ in ${home} right: its plugins are not there`
  const packages = [...new Set(programs.map(servers.packageOf))].join(' ')
  const apt = isDebian(host) ? `, or: sudo ${aptArgv.join(' ')} ${packages}` : ''
  return `export PATH="$PATH:<the folder of ${names}>": the ${servers.title} in ${home} is there without ${it}${apt}`
}

function isDebian(host: HostSystem): boolean {
  return host.families.some((family) => family === 'debian' || family === 'ubuntu')
}
