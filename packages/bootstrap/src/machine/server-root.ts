import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { labError } from '../model/errors.ts'
import type { FormationStep, LabPlan, PlannedCommand, PlannedNode, PlannedRecovery } from '../model/plan.ts'

/**
 * The folder with the system in which the servers are installed: empty for this machine, otherwise the root of
 * another release, which the programs of a lab enter by `chroot`.
 */
export type ServerRoot = string

/** The root of this machine. */
export const thisMachine: ServerRoot = ''

/** The search path inside of another root; that of the user belongs to this machine. */
export const rootSearchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

// The kernel gives up after as many.
const maxLinks = 40

/**
 * Follows all symbolic links of a path as a program inside of the root would, so that an absolute link stays inside.
 * Undefined when there is no such file.
 */
export function resolveInRoot(root: ServerRoot, path: string): string | undefined {
  return follow(root, '/', namesOf(path), 0)
}

function follow(
  root: ServerRoot,
  from: string,
  [name, ...rest]: readonly string[],
  links: number,
): string | undefined {
  if (name === undefined) return from
  const next = join(from, name)
  const stat = statusOf(`${root}${next}`)
  if (stat === undefined || links > maxLinks) return undefined
  if (!stat.isSymbolicLink()) return follow(root, next, rest, links)
  const target = readlinkSync(`${root}${next}`)
  return follow(root, isAbsolute(target) ? '/' : from, [...namesOf(target), ...rest], links + 1)
}

// A folder that this user may not enter, as the search path of another user contains, has no file for this user.
function statusOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch {
    return undefined
  }
}

function namesOf(path: string): readonly string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}

/** The sorted content of a folder inside of the root; empty when there is none. */
export function listInRoot(root: ServerRoot, folder: string): readonly string[] {
  const path = resolveInRoot(root, folder)
  return path === undefined ? [] : readdirSync(`${root}${path}`).sort()
}

/** The text of a file inside of the root; empty when there is none. */
export function readInRoot(root: ServerRoot, path: string): string {
  const found = resolveInRoot(root, path)
  return found === undefined ? '' : readFileSync(`${root}${found}`, 'utf8')
}

const neededPrograms = ['/bin/sh', '/usr/bin/env', '/usr/bin/setpriv']

/**
 * The root of the servers: `given`, else HACTL_ROOT, else this machine. Throws `config-invalid` when the folder is not
 * the root of a system.
 */
export function openServerRoot(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ServerRoot {
  const [name, path] = given === undefined ? ['HACTL_ROOT', environment['HACTL_ROOT'] ?? ''] : ['root', given]
  if (path === '' && given === undefined) return thisMachine
  if (!isAbsolute(path)) {
    throw labError('config-invalid', `${name}: expected an absolute path, got '${path}'`)
  }
  const root = resolve(path)
  if (root === '/') return thisMachine
  const missing = neededPrograms.filter((program) => resolveInRoot(root, program) === undefined)
  if (missing.length === 0) return root
  throw labError(
    'config-invalid',
    `${name}: ${root} is not the root of a system, it has no ${missing.join(', ')}; debootstrap makes one`,
  )
}

/** The name of the release in the root, such as `Debian GNU/Linux forky/sid`. */
export function releaseOf(root: ServerRoot): string {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(readInRoot(root, '/etc/os-release'))?.[1] ?? 'unknown'
}

// Runs in a mount namespace of its own, so that the mounts end with the last process. $1 is the root; the folders up
// to `--` are shared with it. The names of this machine hold inside as well: Erlang needs that of its host.
const enterScript = `set -e
root=$1; shift
for shared in /proc /sys /dev; do mount --rbind "$shared" "$root$shared"; done
[ -e "$root/etc/hosts" ] || : > "$root/etc/hosts"
mount --bind /etc/hosts "$root/etc/hosts"
while [ "$1" != -- ]; do mkdir -p "$1" "$root$1"; mount --rbind "$1" "$root$1"; shift; done
shift
exec chroot "$root" "$@"`

/**
 * A command line that runs inside of the root, with these folders of this machine at the same paths. It stays one
 * process, so that signals to its pid reach the server. An ordinary user needs a kernel that allows user namespaces.
 */
export function argvInRoot(
  root: ServerRoot,
  folders: readonly string[],
  argv: readonly string[],
  uid: number = process.getuid?.() ?? 0,
): readonly string[] {
  if (root === thisMachine) return argv
  const user = uid === 0 ? [] : ['--user', '--map-current-user', '--keep-caps']
  return ['unshare', ...user, '--mount', '--', 'sh', '-c', enterScript, 'sh', root, ...folders, '--', ...argv]
}

/**
 * Adapts a plan to the root of its servers: every process and every command runs inside of it, with these folders of
 * this machine at the same paths.
 */
export function planForRoot(plan: LabPlan, root: ServerRoot, folders: readonly string[]): LabPlan {
  if (root === thisMachine) return plan
  const inside = (command: PlannedCommand): PlannedCommand => ({
    ...command,
    argv: argvInRoot(root, folders, command.argv),
  })
  return {
    ...plan,
    nodes: plan.nodes.map((node) => nodeInRoot(node, inside)),
    processes: plan.processes.map((process) => ({
      ...process,
      argv: argvInRoot(root, folders, ['env', `--chdir=${process.folder}`, ...process.argv]),
      upCheck: process.upCheck === null ? null : inside(process.upCheck),
    })),
    form: plan.form.map((step): FormationStep => {
      return step.do === 'run' ? { ...step, commands: step.commands.map(inside) } : step
    }),
    recovery: plan.recovery === null ? null : recoveryInRoot(plan.recovery, inside),
    notes: [...plan.notes, `The servers are those of ${root}: ${releaseOf(root)}.`],
  }
}

type Inside = (command: PlannedCommand) => PlannedCommand

function nodeInRoot(node: PlannedNode, inside: Inside): PlannedNode {
  const { ask, ctl, repair, levers } = node
  return {
    ...node,
    ask: ask === null ? null : inside(ask),
    ctl: ctl === null ? null : inside(ctl),
    repair:
      repair === null || repair.command === null ? repair : { ...repair, command: inside(repair.command) },
    levers: Object.fromEntries(
      Object.entries(levers).map(([name, { begin, heal }]) => [
        name,
        { begin: inside(begin), heal: inside(heal) },
      ]),
    ),
  }
}

function recoveryInRoot(recovery: PlannedRecovery, inside: Inside): PlannedRecovery {
  return {
    ...recovery,
    sources: recovery.sources.map((source) => ({
      ...source,
      findPosition: inside(source.findPosition),
      askStanding: inside(source.askStanding),
      promote: inside(source.promote),
    })),
  }
}
