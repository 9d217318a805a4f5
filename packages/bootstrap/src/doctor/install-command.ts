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

const aptArgv: readonly string[] = ['apt-get', 'install', '-y', '--no-install-recommends']

/** Decides how missing programs are installed. */
export function chooseInstall(missing: readonly string[], host: Host): InstallChoice {
  if (missing.length === 0) return { kind: 'complete' }
  const isDebian = host.families.some((family) => family === 'debian' || family === 'ubuntu')
  const argv = [...aptArgv, ...rabbitPackages]
  if (!isDebian) {
    const command = 'install RabbitMQ 3.10 or later with Erlang/OTP, and set RABBITMQ_HOME to its folder'
    return { kind: 'ask', packages: rabbitPackages, command }
  }
  if (!host.isRoot) return { kind: 'ask', packages: rabbitPackages, command: `sudo ${argv.join(' ')}` }
  return { kind: 'can-install', packages: rabbitPackages, argv }
}

/** What is said when a lab is wanted and its programs are not there. */
export function missingServers(programs: readonly string[]): Error {
  return labError(
    'package-missing',
    `not found on this machine: ${programs.join(', ')}; type: hactl doctor --fix, ` +
      `or: sudo ${aptArgv.join(' ')} ${rabbitPackages.join(' ')}`,
  )
}
