import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { formatEndpoint } from '@ha/core'
import { asError, didYouMean } from '@ha/core/driver'
import {
  findLabs,
  findLeftovers,
  type LabLeftover,
  leftoverMessage,
  openLab,
  openLabOf,
  selectByName,
} from '../client/find-labs.ts'
import type { Lab } from '../client/lab.ts'
import { startLab } from '../client/start-lab.ts'
import { doctor } from '../doctor/doctor.ts'
import type { Finding } from '../doctor/findings.ts'
import { installServers } from '../doctor/install.ts'
import type { Evidence, Recovery } from '../galera/recovery.ts'
import type { FaultAction } from '../lab/events.ts'
import { defaultFaultMs, faultState } from '../lab/faults.ts'
import { logTail } from '../machine/lab-folder.ts'
import { labError, unknownNode } from '../model/errors.ts'
import { type KindName, kindNames } from '../model/plan.ts'
import type { LabTopology } from '../model/topology.ts'
import { parseDuration } from '../model/validation.ts'
import { runInSandbox } from '../sandbox/sandbox.ts'
import { clockTime, describeDecision, formatTable, statusLines } from './output.ts'
import { codeOf, exitCodes, type VerbContext, type VerbResult } from './run-verb.ts'

/** The flags that choose a lab. */
interface LabFlags {
  readonly name?: string
}

/** Starts a lab. */
export async function up(
  topology: LabTopology,
  flags: LabFlags & { readonly timeoutMs?: number; readonly root?: string },
  context: VerbContext,
): Promise<VerbResult> {
  const lab = await startLab(topology, {
    ...flags,
    ...rootOf(flags),
    signal: context.signal,
    onEvent: context.onEvent,
  })
  const status = await lab.status()
  if (!status.agreed) return { json: status, text: statusLines(status), exitCode: exitCodes.unhealthy }
  const others = findLabs().filter(({ name }) => name !== lab.name)
  const envName = others.some(({ urlVariable }) => urlVariable === lab.urlVariable)
    ? ` --name ${lab.name}`
    : ''
  const downName = others.length > 0 ? ` --name ${lab.name}` : ''
  const next = `READY  ${lab.url}\n       eval "$(hactl env${envName})"   hactl status   hactl down${downName}`
  return { json: status, text: [...statusLines(status), '', next], exitCode: exitCodes.ok }
}

/** Shows one lab or all labs. */
export async function status(flags: LabFlags, { signal }: VerbContext): Promise<VerbResult> {
  const labs = flags.name === undefined ? findLabs() : [openLab(flags.name)]
  const leftovers = flags.name === undefined ? findLeftovers().map(({ name }) => name) : []
  const { done: all, failed } = await forEachLab(labs, (lab) => lab.status({ signal }), signal)
  const blocks = [...all.map(statusLines), ...failed.map(failureLines), leftovers.map(leftoverMessage)]
  const text = blocks
    .filter((lines) => lines.length > 0)
    .flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]))
  const isHealthy = all.length > 0 && all.every((one) => one.agreed) && failed.length + leftovers.length === 0
  return {
    json: { labs: all, leftovers, failed: failed.map(failureDocument) },
    text: text.length === 0 ? ['there is no lab; run: hactl up rabbitmq'] : text,
    exitCode: isHealthy ? exitCodes.ok : exitCodes.unhealthy,
  }
}

/** A lab for which a verb failed. */
interface LabFailure {
  readonly lab: string
  readonly error: Error
}

// A lab that fails does not keep the others from being shown or ended. When there is no other, its error is that of the
// verb, and so is an interrupt.
async function forEachLab<L extends { readonly name: string }, T>(
  labs: readonly L[],
  work: (lab: L) => Promise<T>,
  signal: AbortSignal,
): Promise<{ readonly done: readonly T[]; readonly failed: readonly LabFailure[] }> {
  const results = await Promise.allSettled(labs.map(work))
  signal.throwIfAborted()
  const done = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = results.flatMap((result, i) =>
    result.status === 'rejected' ? [{ lab: labs[i]?.name ?? '', error: asError(result.reason) }] : [],
  )
  const [first] = failed
  if (first !== undefined && labs.length === 1) throw first.error
  return { done, failed }
}

function failureLines({ lab, error }: LabFailure): readonly string[] {
  return [`FAILED  ${lab}: ${error.message}`]
}

function failureDocument({ lab, error }: LabFailure): unknown {
  return { lab, error: { code: codeOf(error), message: error.message } }
}

/** Breaks a node until a deadline. */
export async function fault(
  action: FaultAction,
  node: string,
  flags: LabFlags & { readonly for?: string },
  { signal }: VerbContext,
): Promise<VerbResult> {
  const forMs = flags.for === undefined ? defaultFaultMs : parseDuration(flags.for, '--for')
  const lab = openLabOf(node, flags.name)
  const { heal: _, ...lease } = await lab.fault(action, node, { forMs, signal })
  const back = `hactl resume ${node}${nameFlag(flags)}`
  const text = `${node} is ${faultState(action)}; it heals at ${clockTime(lease.healsAt)}, or run: ${back}`
  return { json: { lab: lab.name, fault: lease }, text: [text], exitCode: exitCodes.ok }
}

/** Heals or restarts a node and waits until all members agree, unless other nodes are still broken or down. */
export async function heal(
  how: 'resume' | 'restart',
  node: string,
  flags: LabFlags,
  context: VerbContext,
): Promise<VerbResult> {
  const lab = openLabOf(node, flags.name)
  const { signal, onEvent } = context
  await lab[how](node, { signal, onEvent })
  const others = (await lab.status({ signal })).nodes.filter(
    (other) => other.fault !== null || other.standing === 'down',
  )
  if (others.length === 0) await lab.ready({ signal, onEvent })
  const state = await lab.status({ signal })
  const broken = others.map((other) => `${other.name} is still ${other.standing}`).join(', ')
  return {
    json: state,
    text: [others.length === 0 ? `${node} is back and all members agree` : `${node} is back; ${broken}`],
    exitCode: exitCodes.ok,
  }
}

/** Prints the addresses of the labs for applications: that of one lab, or of all whose variables differ. */
export async function env(flags: LabFlags): Promise<VerbResult> {
  const found = flags.name === undefined ? findLabs() : []
  const labs = found.length > 1 ? labsOfDistinctVariables(found) : [openLab(flags.name)]
  const documents = labs.map((lab) => ({
    lab: lab.name,
    url: lab.url,
    nodes: lab.nodes.map(({ name, endpoint }) => ({ name, endpoint: formatEndpoint(endpoint) })),
  }))
  return {
    json: documents.length === 1 ? documents[0] : { labs: documents },
    text: labs.map((lab) => `export ${lab.urlVariable}='${lab.url}'`),
    exitCode: exitCodes.ok,
  }
}

// Of two addresses in one variable the second would silently win.
function labsOfDistinctVariables(labs: readonly Lab[]): readonly Lab[] {
  const [first, second] = labs.flatMap((lab) => {
    const other = labs.find((one) => one !== lab && one.urlVariable === lab.urlVariable)
    return other === undefined ? [] : [lab]
  })
  if (first === undefined || second === undefined) return labs
  throw labError(
    'lab-ambiguous',
    `${first.name} and ${second.name} both set ${first.urlVariable}; choose one with --name`,
  )
}

/** Ends one lab or all labs, and removes what crashes have left. */
export async function down(
  flags: LabFlags & { readonly all?: boolean },
  { signal }: VerbContext,
): Promise<VerbResult> {
  const all: readonly (Lab | LabLeftover)[] = [...findLabs(), ...findLeftovers()]
  const chosen = flags.all === true || all.length === 0 ? all : [selectByName(all, flags.name)]
  const end = async (one: Lab | LabLeftover): Promise<string> => {
    await one.down({ signal })
    return one.name
  }
  const { done: ended, failed } = await forEachLab(chosen, end, signal)
  const text = [...ended.map((name) => `${name} has ended and is removed`), ...failed.flatMap(failureLines)]
  return {
    json: { ended, failed: failed.map(failureDocument) },
    text: text.length === 0 ? ['there is no lab'] : text,
    exitCode: failed.length === 0 ? exitCodes.ok : exitCodes.unhealthy,
  }
}

/** Examines the machine, and with --fix installs what is missing. */
export async function runDoctor(
  asked: readonly KindName[],
  flags: { readonly fix?: boolean; readonly root?: string },
  context: VerbContext,
): Promise<VerbResult> {
  if (flags.fix === true && flags.root !== undefined)
    throw labError('usage', `--fix installs on this machine, not in --root ${flags.root}; omit one of them`)
  const kinds = asked.length === 0 ? kindNames : asked
  const installed =
    flags.fix === true
      ? await installServers({ kinds, onProgress: context.print, signal: context.signal })
      : null
  const findings = await doctor({ kinds, ...rootOf(flags) })
  const healthy = findings.every((finding) => finding.level !== 'error')
  return {
    json: { healthy, installed, findings },
    text: findings.flatMap(findingLines),
    exitCode: healthy ? exitCodes.ok : exitCodes.unhealthy,
  }
}

// A path on the command line is relative to the current folder.
function rootOf({ root }: { readonly root?: string }): { readonly root?: string } {
  if (root === undefined) return {}
  return { root: root === '' ? root : resolve(root) }
}

function findingLines(finding: Finding): readonly string[] {
  const line = `${finding.level.padEnd(7)}  ${finding.about.padEnd(10)}  ${finding.says}`
  return finding.fix === undefined ? [line] : [line, `${''.padEnd(21)}run: ${finding.fix}`]
}

function nameFlag(flags: LabFlags): string {
  return flags.name === undefined ? '' : ` --name ${flags.name}`
}

/** The flags of `hactl recover`. */
interface RecoverFlags {
  readonly name?: string
  readonly assumeLost?: readonly string[]
  readonly yes?: boolean
}

/** Shows the evidence and the decision, asks for confirmation, and recovers the cluster. */
export async function recover(
  kind: string | undefined,
  flags: RecoverFlags,
  context: VerbContext,
): Promise<VerbResult> {
  const wanted = kind === undefined ? undefined : kindOf(kind)
  const lab = openRecoverable(flags.name, wanted ?? 'galera')
  if (wanted !== undefined && lab.kind !== wanted) {
    throw labError('usage', `recover: ${lab.name} is a ${lab.kind} lab, not a ${wanted} lab`)
  }
  const { signal, onEvent } = context
  const options = { assumeLost: flags.assumeLost ?? [], signal, onEvent }
  const found = await lab.recovery(options)
  context.print(`${recoveryLines(found).join('\n')}\n`)
  if (found.decision.kind === 'refuse') throw labError('recovery-refused', found.decision.because)
  if (flags.yes !== true && !(await context.confirm('Proceed?'))) {
    throw labError('recovery-refused', `nothing was done; to proceed, run: ${confirmedCommand(lab, flags)}`)
  }
  const done = await lab.recover(options)
  await lab.ready(options)
  return {
    json: { lab: lab.name, ...done, status: await lab.status({ signal }) },
    text: [`${lab.name} is back and all members agree`],
    exitCode: exitCodes.ok,
  }
}

// Of several labs, the only one whose kind is recovered.
function openRecoverable(name: string | undefined, kind: KindName): Lab {
  const fitting = name === undefined ? findLabs().filter((lab) => lab.kind === kind) : []
  return fitting.length === 1 && fitting[0] !== undefined ? fitting[0] : openLab(name)
}

/** The evidence as a table, followed by the decision. */
export function recoveryLines({ evidence, decision }: Recovery): readonly string[] {
  const headings = ['NODE', 'STATE', 'HISTORY', 'POSITION', 'FROM', 'STOPPED LAST']
  return [
    ...formatTable([headings, ...evidence.map(evidenceCells)]),
    '',
    `${describeDecision(decision)}: ${decision.because}`,
  ]
}

function evidenceCells({ node, standing }: Evidence): readonly string[] {
  switch (standing.kind) {
    case 'unknown':
      return [node, `unknown: ${standing.because}`]
    case 'primary':
    case 'without-majority':
      return [node, standing.kind, standing.history, String(standing.position), 'the server', '']
    case 'down': {
      const { history, position, from, isMarkedSafe } = standing
      return [node, 'down', history ?? 'none', String(position ?? '?'), from, isMarkedSafe ? 'yes' : 'no']
    }
  }
}

function confirmedCommand(lab: Lab, { assumeLost }: RecoverFlags): string {
  const lost = assumeLost === undefined ? '' : ` --assume-lost ${assumeLost.join(' ')}`
  return `hactl recover --name ${lab.name}${lost} --yes`
}

const shownLines = 100
const logPollMs = 200
// The most bytes of a log that are in memory at a time.
const mostBytes = 1024 * 1024

/** Prints the end of a node's log, and with --follow what is appended to it. */
export async function logs(
  node: string,
  flags: { readonly name?: string; readonly follow?: boolean },
  context: VerbContext,
): Promise<VerbResult> {
  if (flags.follow === true && context.isJson) {
    throw labError('usage', '--json prints one document, and --follow never ends; omit one of them')
  }
  const lab = openLabOf(node, flags.name)
  const path = lab.nodes.find(({ name }) => name === node)?.logPath
  if (path === undefined) throw unknownNode({ lab: lab.name, nodes: lab.nodes }, node)
  if (flags.follow === true) return await followLog(path, lab.folder, context)
  const lines = logTail(path, shownLines)
  return { json: { node, path, lines }, text: lines, exitCode: exitCodes.ok }
}

// A log only grows, so polling its size is cheap and works on every file system. The file appears with the first start
// of the node, and disappears with the lab.
async function followLog(path: string, folder: string, context: VerbContext): Promise<VerbResult> {
  let offset = sizeOf(path) ?? 0
  context.print(
    logTail(path, shownLines)
      .map((line) => `${line}\n`)
      .join(''),
  )
  while (!context.signal.aborted) {
    if (context.readerLeft.aborted) return { json: null, text: [], exitCode: exitCodes.ok }
    await setTimeout(logPollMs)
    const size = sizeOf(path)
    if (size === undefined && !existsSync(folder)) {
      return { json: null, text: ['the lab has ended; its logs are removed'], exitCode: exitCodes.ok }
    }
    for (; size !== undefined && size > offset; offset += mostBytes) {
      context.print(readFrom(path, offset, Math.min(mostBytes, size - offset)))
    }
    offset = size ?? 0
  }
  return { json: null, text: [], exitCode: exitCodes.interrupted }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size
}

function readFrom(path: string, offset: number, length: number): string {
  if (length === 0) return ''
  const buffer = Buffer.alloc(length)
  const file = openSync(path, 'r')
  try {
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, length, offset))
  } finally {
    closeSync(file)
  }
}

/** Runs a command in a sandbox; its output and its exit status are its own. */
export async function sandbox(command: readonly string[], { signal }: VerbContext): Promise<VerbResult> {
  const exitCode = await runInSandbox(command, signal)
  return { json: { exitCode }, text: [], exitCode }
}

/** The flags of `hactl up`. */
export interface UpFlags {
  readonly nodes?: string
  readonly detect?: string
  readonly name?: string
  readonly vhost?: readonly string[]
  readonly arbitrator?: boolean
  readonly basePort?: string
  readonly root?: string
  readonly timeout?: string
}

/** Returns the kind of that name; the error for another word suggests the nearest. */
export function kindOf(word: string): KindName {
  const kind = kindNames.find((name) => name === word)
  if (kind !== undefined) return kind
  const hint = didYouMean(word, kindNames)
  throw labError('usage', `unknown kind '${word}'; expected one of ${kindNames.join(', ')}${hint}`)
}

/** The topology that the flags describe. A flag of another kind is an error and is never ignored. */
export function topologyOf(word: string, flags: UpFlags): LabTopology {
  const kind = kindOf(word)
  refuseFlagsOfOtherKinds(kind, flags)
  const common = {
    ...(flags.nodes === undefined ? {} : { nodes: wholeNumber(flags.nodes, '--nodes') }),
    ...(flags.detect === undefined ? {} : { detectMs: parseDuration(flags.detect, '--detect') }),
    ...(flags.basePort === undefined ? {} : { basePort: wholeNumber(flags.basePort, '--base-port') }),
  }
  switch (kind) {
    case 'rabbitmq':
      return { kind, ...common, ...(flags.vhost === undefined ? {} : { vhosts: flags.vhost }) }
    case 'galera':
      return { kind, ...common, arbitrator: flags.arbitrator ?? false }
    case 'replication':
    case 'zookeeper':
      return { kind, ...common }
  }
}

function refuseFlagsOfOtherKinds(kind: KindName, flags: UpFlags): void {
  const foreign = [
    { flag: '--vhost', of: 'rabbitmq', isGiven: flags.vhost !== undefined },
    { flag: '--arbitrator', of: 'galera', isGiven: flags.arbitrator === true },
  ].find(({ of, isGiven }) => isGiven && of !== kind)
  if (foreign === undefined) return
  throw labError('usage', `${foreign.flag} is a flag of ${foreign.of}, not of ${kind}; omit it`)
}

function wholeNumber(text: string, flag: string): number {
  if (!/^\d{1,5}$/.test(text)) throw labError('usage', `${flag}: '${text}' is not a whole number`)
  return Number(text)
}
