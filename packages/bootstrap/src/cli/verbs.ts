import { formatEndpoint } from '@ha/core'
import type { Leftover } from '../client/find-labs.ts'
import { findLabs, findLeftovers, leftoverMessage, openLab, selectByName } from '../client/find-labs.ts'
import type { Lab } from '../client/lab.ts'
import { startLab } from '../client/start-lab.ts'
import { doctor } from '../doctor/doctor.ts'
import type { Finding } from '../doctor/findings.ts'
import { installServers } from '../doctor/install.ts'
import type { FaultAction } from '../lab/events.ts'
import { defaultFaultMs, faultState } from '../lab/faults.ts'
import { parseDuration } from '../model/duration.ts'
import { type KindName, kindNames } from '../model/plan.ts'
import type { Topology } from '../model/topology.ts'
import type { VerbContext, VerbResult } from './context.ts'
import { exitCodes } from './exit-code.ts'
import { clockTime } from './sentences.ts'
import { statusLines } from './status-table.ts'

/** The flags that choose a lab. */
export interface LabFlags {
  readonly name?: string
}

/** Starts a lab of a built-in topology. */
export async function up(
  topology: Topology,
  flags: LabFlags & { readonly timeoutMs?: number },
  context: VerbContext,
): Promise<VerbResult> {
  const lab = await startLab(topology, { ...flags, signal: context.signal, onEvent: context.onEvent })
  const status = await lab.status()
  const next = `READY  ${lab.url}\n       eval "$(hactl env${nameFlag(flags)})"   hactl status   hactl down${nameFlag(flags)}`
  return { json: status, text: [...statusLines(status), '', next], exitCode: exitCodes.ok }
}

/** Shows one lab or all of them. */
export async function status(flags: LabFlags, { signal }: VerbContext): Promise<VerbResult> {
  const labs = flags.name === undefined ? findLabs() : [openLab(flags.name)]
  const leftovers = flags.name === undefined ? findLeftovers().map(({ name }) => name) : []
  const all = await Promise.all(labs.map((lab) => lab.status({ signal })))
  const text = all.flatMap((one, i) => (i === 0 ? statusLines(one) : ['', ...statusLines(one)]))
  if (all.length === 0 && leftovers.length === 0) text.push('there is no lab; type: hactl up rabbitmq')
  return {
    json: { labs: all, leftovers },
    text: [...text, ...leftovers.map(leftoverMessage)],
    exitCode: all.every((one) => one.agreed) && leftovers.length === 0 ? exitCodes.ok : exitCodes.unhealthy,
  }
}

/** Breaks a node for a while. */
export async function fault(
  action: FaultAction,
  node: string,
  flags: LabFlags & { readonly for?: string },
  { signal }: VerbContext,
): Promise<VerbResult> {
  const forMs = flags.for === undefined ? defaultFaultMs : parseDuration(flags.for, '--for')
  const lab = openLab(flags.name)
  const { heal: _, ...lease } = await lab.fault(action, node, { forMs, signal })
  const back = `hactl resume ${node}${nameFlag(flags)}`
  const text = `${node} is ${faultState(action)}; it heals itself at ${clockTime(lease.healsAt)}, or: ${back}`
  return { json: { lab: lab.name, fault: lease }, text: [text], exitCode: exitCodes.ok }
}

/** Heals or restarts a node and waits until all members agree, unless other nodes are still broken. */
export async function heal(
  how: 'resume' | 'restart',
  node: string,
  flags: LabFlags,
  context: VerbContext,
): Promise<VerbResult> {
  const lab = openLab(flags.name)
  const { signal, onEvent } = context
  await lab[how](node, { signal, onEvent })
  const others = (await lab.status({ signal })).nodes.filter((other) => other.fault !== null)
  if (others.length === 0) await lab.ready({ signal, onEvent })
  const state = await lab.status({ signal })
  const broken = others.map((other) => `${other.name} is still ${other.standing}`).join(', ')
  return {
    json: state,
    text: [others.length === 0 ? `${node} is back and all members agree` : `${node} is back; ${broken}`],
    exitCode: exitCodes.ok,
  }
}

/** Prints what an application needs to dial the lab. */
export async function env(flags: LabFlags): Promise<VerbResult> {
  const lab = openLab(flags.name)
  const nodes = lab.nodes.map(({ name, endpoint }) => ({ name, endpoint: formatEndpoint(endpoint) }))
  return {
    json: { lab: lab.name, url: lab.url, nodes },
    text: [`export ${lab.urlVariable}='${lab.url}'`],
    exitCode: exitCodes.ok,
  }
}

/** Ends one lab or all of them, and what crashes left of others. */
export async function down(
  flags: LabFlags & { readonly all?: boolean },
  { signal }: VerbContext,
): Promise<VerbResult> {
  const all: readonly (Lab | Leftover)[] = [...findLabs(), ...findLeftovers()]
  const chosen = flags.all === true || all.length === 0 ? all : [selectByName(all, flags.name)]
  await Promise.all(chosen.map((one) => one.down({ signal })))
  const names = chosen.map(({ name }) => name)
  const text =
    names.length === 0 ? ['there is no lab'] : names.map((name) => `${name} has ended; nothing of it is left`)
  return { json: { ended: names }, text, exitCode: exitCodes.ok }
}

/** Looks at the machine, and with --fix installs what is missing. */
export async function runDoctor(
  asked: readonly KindName[],
  flags: { readonly fix?: boolean },
  context: VerbContext,
): Promise<VerbResult> {
  const kinds = asked.length === 0 ? kindNames : asked
  const installed =
    flags.fix === true
      ? await installServers({ kinds, onProgress: context.print, signal: context.signal })
      : null
  const findings = await doctor({ kinds })
  const healthy = findings.every((finding) => finding.level !== 'error')
  return {
    json: { healthy, installed, findings },
    text: findings.flatMap(findingLines),
    exitCode: healthy ? exitCodes.ok : exitCodes.unhealthy,
  }
}

function findingLines(finding: Finding): readonly string[] {
  const line = `${finding.level.padEnd(7)}  ${finding.about.padEnd(10)}  ${finding.says}`
  return finding.fix === undefined ? [line] : [line, `${''.padEnd(21)}type: ${finding.fix}`]
}

function nameFlag(flags: LabFlags): string {
  return flags.name === undefined ? '' : ` --name ${flags.name}`
}
