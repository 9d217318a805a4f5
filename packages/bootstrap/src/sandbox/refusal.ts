import { runCommand } from '../machine/run-command.ts'
import { findProgram, searchPath } from '../machine/search-path.ts'
import { unshareArgv } from './namespaces.ts'

const programs = ['unshare', 'nsenter', 'setpriv', 'mountpoint', 'ip'] as const
const probeTimeoutMs = 10_000
// What a sandbox is made of, tried in one that is gone at once.
const probe =
  'ip link add name probe type veth peer name other && ip rule add pref 1 from 10.77.0.1 blackhole'

/** Why there can be no sandbox. */
export interface SandboxObstacle {
  readonly because: string
  /** The programs that are not there; empty: the kernel is the reason. */
  readonly missing: readonly string[]
}

/** Why there can be no sandbox on this machine; undefined when there can. It leaves nothing behind. */
export async function findSandboxObstacle(): Promise<SandboxObstacle | undefined> {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
  const missing = programs.filter((name) => findProgram(name, searchPath({ PATH: path })) === undefined)
  if (missing.length > 0) return { because: `not found: ${missing.join(', ')}`, missing }
  const argv = [...unshareArgv(process.getuid?.() ?? 0), 'sh', '-c', probe]
  const { status, stderr } = await runCommand(
    { argv, env: { PATH: path }, stdin: '' },
    { timeoutMs: probeTimeoutMs },
  )
  if (status === 0) return undefined
  return { because: `the kernel refuses: ${stderr.trim().split('\n')[0] ?? ''}`, missing }
}
