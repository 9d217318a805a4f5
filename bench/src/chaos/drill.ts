import { subscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { positive, readOptions } from '../harness/args.ts'
import { withLab } from '../harness/lab.ts'
import { markdownTable } from '../harness/report.ts'
import { startMariadbWorkload } from './mariadb-workload.ts'
import { type MisuseResult, misuse, useClosed } from './misuse.ts'
import { startRabbitWorkload } from './rabbit-workload.ts'
import type { Verdict, Workload } from './workload.ts'
import { startZookeeperWorkload } from './zookeeper-workload.ts'

// Three clusters share one machine: shorter timers would take a busy server for a dead one.
const detectMs = 3_000
const faultActions = ['kill', 'stop', 'pause'] as const
const faultMs = { min: 3_000, max: 15_000 }
const restMs = { min: 3_000, max: 10_000 }

/**
 * `npm run drill -- chaos`: a service on all three systems for `--minutes` (10), while servers of each system fail at
 * random, and beside it every public call with wrong arguments; false when a guarantee was violated. `--seed` (1)
 * chooses the faults.
 */
export async function chaosDrill(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['minutes', 'seed'])
  const minutes = positive(options['minutes'], 10, 'minutes')
  const seed = positive(options['seed'], 1, 'seed')
  return withLabs((labs) => chaos(labs, { seed, durationMs: minutes * 60_000 }))
}

type Labs = Readonly<Record<'rabbitmq' | 'galera' | 'zookeeper', Lab>>

function withLabs(work: (labs: Labs) => Promise<boolean>): Promise<boolean> {
  const request = <K extends keyof Labs>(kind: K) => ({
    purpose: `chaos-${kind}`,
    description: `three nodes of ${kind}`,
    request: { kind, nodes: 3, detectMs },
  })
  return withLab(request('rabbitmq'), (rabbitmq) =>
    withLab(request('galera'), (galera) =>
      withLab(request('zookeeper'), (zookeeper) => work({ rabbitmq, galera, zookeeper })),
    ),
  )
}

async function chaos(
  labs: Labs,
  plan: { readonly seed: number; readonly durationMs: number },
): Promise<boolean> {
  const unhandled = watchUnhandled()
  const lost = countLosses()
  const workloads = [
    await startRabbitWorkload(labs.rabbitmq, () => lost('rabbit')),
    await startMariadbWorkload(labs.galera),
    await startZookeeperWorkload(labs.zookeeper, () => lost('zookeeper')),
  ]
  console.log('Misuse while all servers are well ...')
  const calm = await misuseAll(workloads)
  console.log(`Faults for ${plan.durationMs / 60_000} minutes, seed ${plan.seed}, misuse beside them ...`)
  const ended = AbortSignal.timeout(plan.durationMs)
  const [, stormy] = await Promise.all([
    Promise.all(workloads.map(({ lab }, i) => breakServers(lab, seeded(plan.seed * 10 + i), ended))),
    repeatMisuse(workloads, ended),
  ])
  await Promise.all(workloads.map(({ lab }) => lab.ready()))
  const verdicts: Verdict[] = []
  for (const workload of workloads) {
    await workload.stop()
    verdicts.push(await workload.verify())
  }
  for (const workload of workloads) await workload.close()
  const closed = await useClosed(workloads.flatMap(({ calls }) => calls))
  await sleep(1_000)
  return report({
    workloads,
    verdicts,
    calm,
    misused: [...calm.map(({ result }) => result), stormy, closed],
    unhandled,
  })
}

interface CalmMisuse {
  readonly system: string
  readonly result: MisuseResult
  readonly losses: number
}

async function misuseAll(workloads: readonly Workload[]): Promise<readonly CalmMisuse[]> {
  const results: CalmMisuse[] = []
  for (const { system, calls, losses } of workloads) {
    const before = await losses()
    const result = await misuse(calls, new AbortController().signal)
    results.push({ system, result, losses: (await losses()) - before })
  }
  return results
}

async function repeatMisuse(workloads: readonly Workload[], signal: AbortSignal): Promise<MisuseResult> {
  const calls = workloads.flatMap((workload) => workload.calls)
  const total = { calls: 0, refused: 0, accepted: 0, offences: [] as string[] }
  while (!signal.aborted) {
    const result = await misuse(calls, signal)
    total.calls += result.calls
    total.refused += result.refused
    total.accepted += result.accepted
    for (const offence of result.offences) if (!total.offences.includes(offence)) total.offences.push(offence)
  }
  return total
}

/** Breaks one node after the other until the end; all are healed when it resolves. */
async function breakServers(lab: Lab, random: () => number, ended: AbortSignal): Promise<void> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
  const between = ({ min, max }: { readonly min: number; readonly max: number }): number =>
    Math.round(min + random() * (max - min))
  while (!ended.aborted) {
    const [action, { name }] = [pick(faultActions), pick(lab.nodes)]
    const forMs = between(faultMs)
    console.log(`  ${lab.name}: ${action} ${name} for ${(forMs / 1_000).toFixed(1)} s`)
    const lease = await lab.fault(action, name, { forMs: 120_000 })
    await sleep(forMs)
    await lease.heal()
    await lab.ready()
    await sleep(between(restMs))
  }
}

// mulberry32: a small generator, so that a run can be repeated with its seed.
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function watchUnhandled(): readonly string[] {
  const seen: string[] = []
  process.on('unhandledRejection', (error) => seen.push(`unhandled rejection: ${String(error)}`))
  process.on('uncaughtException', (error) => seen.push(`uncaught exception: ${error.stack}`))
  process.on('warning', (warning) => seen.push(`warning: ${warning.message}`))
  return seen
}

function countLosses(): (system: string) => number {
  const losses = new Map<string, number>()
  subscribe('ha:link:lost', (message) => {
    const { link } = message as { readonly link: string }
    const system = link.startsWith('zookeeper') ? 'zookeeper' : 'rabbit'
    losses.set(system, (losses.get(system) ?? 0) + 1)
  })
  return (system) => losses.get(system) ?? 0
}

interface Result {
  readonly workloads: readonly Workload[]
  readonly verdicts: readonly Verdict[]
  readonly calm: readonly CalmMisuse[]
  readonly misused: readonly MisuseResult[]
  readonly unhandled: readonly string[]
}

function report({ workloads, verdicts, calm, misused, unhandled }: Result): boolean {
  const names = [
    'operations',
    'done',
    'notDone',
    'unknown',
    'unsettled',
    'lost',
    'wronglyNotDone',
    'twice',
  ] as const
  const rows = workloads.map(({ system }, i) => [system, ...names.map((name) => String(verdicts[i]?.[name]))])
  console.log(`\n${markdownTable(['system', ...names], rows)}\n`)
  for (const { system, result, losses } of calm)
    console.log(
      `${system}: ${result.calls} wrong calls, ${result.refused} refused, ${losses} connections lost`,
    )
  const offences = [...new Set(misused.flatMap((each) => each.offences))]
  for (const offence of [...offences, ...unhandled]) console.log(`VIOLATED: ${offence}`)
  const isFalse = verdicts.some(
    ({ unsettled, lost, wronglyNotDone, twice }) => unsettled + lost + wronglyNotDone + twice > 0,
  )
  const holds =
    !isFalse && offences.length === 0 && unhandled.length === 0 && calm.every(({ losses }) => losses === 0)
  console.log(holds ? 'chaos: all guarantees held.' : 'chaos: VIOLATED, see above.')
  return holds
}
