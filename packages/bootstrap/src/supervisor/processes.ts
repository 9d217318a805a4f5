import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock } from '@ha/core'
import type { Journal } from '../lab/journal.ts'
import { processIdOf, processOf } from '../lab/state.ts'
import { checkSecrets, logTail } from '../machine/lab-folder.ts'
import { acceptsConnections, isPortFree, portHolder } from '../machine/ports.ts'
import {
  endLabProcesses,
  findMarkedProcesses,
  identify,
  isRunning,
  labMark,
  type ProcessId,
  sendSignal,
} from '../machine/process-table.ts'
import { runCommand } from '../machine/run-command.ts'
import { labError } from '../model/errors.ts'
import { isShared } from '../model/network.ts'
import type { LabPlan, PlannedProcess } from '../model/plan.ts'

const processMark = 'HACTL_PROCESS'
// The interval at which a port or a process is polled during a wait.
const pollMs = 40
// A graceful stop that takes longer is ended by SIGKILL.
const stopGraceMs = 30_000
// A single node waits for its peers before it opens its port; two minutes leave time to start each of them.
const startTimeoutMs = 120_000
const checkTimeoutMs = 1_500
/** How many lines of its log an error about a node shows. */
export const logExcerptLines = 15

/** The processes of one lab: starts, watches and ends these and no others. */
export class Processes {
  readonly #plan: LabPlan
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #ending = new Set<string>()

  constructor(plan: LabPlan, journal: Journal, clock: Clock) {
    this.#plan = plan
    this.#journal = journal
    this.#clock = clock
  }

  /** The identity of a process; undefined when it does not run. */
  running(name: string): ProcessId | undefined {
    const id = processIdOf(processOf(this.#journal.state, name))
    return id !== undefined && isRunning(id) ? id : undefined
  }

  /**
   * Starts a process after those that it needs, and waits until it is up. A running process is left alone. With
   * `founding` the process gets these arguments for this start only, and need not find a peer to join.
   */
  async start(name: string, signal: AbortSignal, founding?: readonly string[]): Promise<void> {
    const planned = this.#planned(name)
    const begun = this.#clock.now()
    if (this.running(name) === undefined) {
      for (const needed of planned.needs) await this.start(needed, signal)
      checkSecrets(this.#plan)
      await this.#checkPorts(planned)
      // No process may be started once the supervisor has begun to end the lab.
      signal.throwIfAborted()
      if (founding === undefined) this.#checkJoins(planned)
      this.#launch(planned, founding ?? [])
    } else if (processOf(this.#journal.state, name).kind === 'up') return
    await this.#waitUntilUp(planned, signal)
    this.#journal.record({
      type: 'process-up',
      process: name,
      elapsedMs: Math.round(this.#clock.now() - begun),
    })
  }

  /** Ends a process: by SIGKILL, or by SIGTERM and by SIGKILL after a grace period. */
  async end(name: string, how: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const id = processIdOf(processOf(this.#journal.state, name))
    if (id === undefined) return
    this.#ending.add(name)
    try {
      sendSignal(id, how)
      const giveUpAt = this.#clock.now() + stopGraceMs
      while (isRunning(id)) {
        if (this.#clock.now() > giveUpAt) sendSignal(id, 'SIGKILL')
        await this.#clock.sleep(pollMs)
      }
      // A killed server leaves the programs behind that it had started, and they hold its ports.
      for (const child of findMarkedProcesses(processMark, markOf(this.#plan.folder, name)))
        sendSignal(child, 'SIGKILL')
      this.#journal.record({ type: 'process-ended', process: name, asked: true })
    } finally {
      this.#ending.delete(name)
    }
  }

  /** Ends a process gracefully and starts it again. */
  async restart(name: string, signal: AbortSignal): Promise<void> {
    await this.end(name, 'SIGTERM')
    await this.start(name, signal)
  }

  /** Ends all processes in the planned order, and those that a crash left unrecorded. */
  async endAll(): Promise<void> {
    for (const name of this.#plan.stop) await this.end(name, 'SIGKILL')
    await endLabProcesses(this.#plan.folder)
  }

  /**
   * Adopts the processes of a supervisor that crashed: finds those that were started and not recorded, and records
   * those that have ended.
   */
  adoptRunning(): void {
    for (const { name } of this.#plan.processes) {
      if (processOf(this.#journal.state, name).kind !== 'launching') continue
      const oldest = findMarkedProcesses(processMark, markOf(this.#plan.folder, name))[0]
      if (oldest === undefined) this.#journal.record({ type: 'process-ended', process: name, asked: false })
      else this.#journal.record({ type: 'process-started', process: name, id: oldest })
    }
    this.recordEnded()
  }

  /** Records every process that ended without being asked to. */
  recordEnded(): void {
    for (const { name } of this.#plan.processes) {
      const id = processIdOf(processOf(this.#journal.state, name))
      if (id === undefined || this.#ending.has(name) || isRunning(id)) continue
      this.#journal.record({ type: 'process-ended', process: name, asked: false })
    }
  }

  #planned(name: string): PlannedProcess {
    const planned = this.#plan.processes.find((process) => process.name === name)
    if (planned === undefined) throw labError('internal', `the plan has no process '${name}'`)
    return planned
  }

  async #checkPorts(planned: PlannedProcess): Promise<void> {
    if (!isShared(planned.host)) return
    for (const port of planned.ports) {
      if (await isPortFree(port)) continue
      const holder = portHolder(port)
      const end = holder === undefined ? 'end the process that holds it' : `end ${holder}`
      throw labError(
        'port-taken',
        `${planned.name}: port ${port} is in use; ${end}, or choose other ports: hactl up ${this.#plan.kind} --base-port N`,
      )
    }
  }

  // The process would wait for a peer that does not come, and must not form a cluster of its own.
  #checkJoins({ name, joins }: PlannedProcess): void {
    if (joins.length === 0 || joins.some((peer) => this.running(peer) !== undefined)) return
    const { kind, lab } = this.#plan
    throw labError(
      'fault-refused',
      `${name} has no member to join: ${joins.join(', ')} are down; run: hactl recover ${kind} --name ${lab}`,
    )
  }

  // Recorded before the start and after it: after a crash in between, the process is found by its mark.
  #launch(planned: PlannedProcess, founding: readonly string[]): void {
    const { name } = planned
    const [file = '', ...args] = [...planned.argv, ...founding]
    this.#journal.record({ type: 'process-starting', process: name })
    const path = join(this.#plan.folder, planned.log)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const log = openSync(path, 'a', 0o600)
    const child = spawn(file, args, {
      cwd: planned.folder,
      env: { ...planned.env, [labMark]: this.#plan.folder, [processMark]: markOf(this.#plan.folder, name) },
      stdio: ['ignore', log, log],
      detached: true,
    })
    closeSync(log)
    // A process that cannot be spawned has no pid; the error is thrown below.
    child.on('error', () => undefined)
    child.unref()
    const id = child.pid === undefined ? undefined : identify(child.pid)
    if (id === undefined) {
      this.#journal.record({ type: 'process-ended', process: name, asked: false })
      throw this.#endedWhileStarting(planned)
    }
    this.#journal.record({ type: 'process-started', process: name, id })
  }

  async #waitUntilUp(planned: PlannedProcess, signal: AbortSignal): Promise<void> {
    const giveUpAt = this.#clock.now() + startTimeoutMs
    while (!(await isUp(planned))) {
      if (this.running(planned.name) === undefined) {
        this.recordEnded()
        throw this.#endedWhileStarting(planned)
      }
      if (this.#clock.now() > giveUpAt) throw this.#startTimedOut(planned)
      await this.#clock.sleep(pollMs, signal)
    }
  }

  #endedWhileStarting(planned: PlannedProcess): Error {
    return labError(
      'node-failed',
      `${where(planned)} ended while it was starting; ${this.#logExcerpt(planned)}`,
    )
  }

  #startTimedOut(planned: PlannedProcess): Error {
    const seconds = startTimeoutMs / 1000
    return labError(
      'timed-out',
      `${where(planned)} is not up after ${seconds} s; ${this.#logExcerpt(planned)}`,
    )
  }

  #logExcerpt(planned: PlannedProcess): string {
    const log = join(this.#plan.folder, planned.log)
    return `the end of ${log}:\n${logTail(log, logExcerptLines).join('\n')}`
  }
}

async function isUp({ host, upPort, upCheck }: PlannedProcess): Promise<boolean> {
  if (!(await acceptsConnections({ host, port: upPort }))) return false
  return upCheck === null || (await runCommand(upCheck, { timeoutMs: checkTimeoutMs })).status === 0
}

function where(planned: PlannedProcess): string {
  return `${planned.name} on ${planned.host}:${planned.upPort}`
}

function markOf(folder: string, process: string): string {
  return `${folder}/${process}`
}
