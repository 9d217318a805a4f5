import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isHaError, systemClock } from '@ha/core'
import { asError, withDeadline } from '@ha/core/driver'
import type { ControlReply, ControlRequest } from '../lab/control-protocol.ts'
import type { RecordedEvent } from '../lab/events.ts'
import { readEvents } from '../lab/journal.ts'
import { isHeld, type LabLock, readLabLock } from '../lab/lab-lock.ts'
import { applyEvent, initialLabState } from '../lab/state.ts'
import { journalPath, labFolder, labNames, labsHome, logTail, planPath } from '../machine/lab-folder.ts'
import { acceptsConnections } from '../machine/ports.ts'
import { type BootstrapCode, labError } from '../model/errors.ts'

const endPollMs = 20
// A killed process is gone within milliseconds, and holds its socket until then.
const endTimeoutMs = 2_000

/**
 * Sends a request to the supervisor of the lab in this folder. A supervisor that dies during the request is replaced,
 * and the request is sent again where that is harmless.
 */
export async function callSupervisor(
  folder: string,
  request: ControlRequest,
  options: SupervisorCallOptions = {},
): Promise<unknown> {
  const lock = await ensureSupervisor(folder, options.signal)
  try {
    return await sendRequest(lock, request, options)
  } catch (thrown) {
    const isLost = isHaError(thrown) && thrown.code === 'supervisor-lost'
    if (!isLost || !isRepeatable(request) || !(await hasEnded(lock))) throw asError(thrown)
    return await sendRequest(await ensureSupervisor(folder, options.signal), request, options)
  }
}

/** Whether a request that may have been carried out can be sent again. */
export function isRepeatable(request: ControlRequest): boolean {
  switch (request.verb) {
    case 'status':
    case 'ready':
    case 'resume':
    case 'consider':
    case 'bring-back':
    case 'down':
      return true
    // A second fault would last longer than requested, a second restart is one more, a recovery decides by what it
    // finds, and events would be delivered twice.
    case 'fault':
    case 'restart':
    case 'recover':
    case 'formed':
    case 'follow':
      return false
  }
}

async function hasEnded(lock: LabLock): Promise<boolean> {
  const giveUpAt = systemClock.now() + endTimeoutMs
  while (isHeld(lock)) {
    if (systemClock.now() > giveUpAt) return false
    await systemClock.sleep(endPollMs)
  }
  return true
}

/** A signal that ends a call, and a listener for the events that arrive before its result. */
export interface SupervisorCallOptions {
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: RecordedEvent) => void) | undefined
}

/** The longest time that a working supervisor takes for a request; undefined for requests that wait for events. */
export function requestTimeoutMs(request: ControlRequest): number | undefined {
  switch (request.verb) {
    case 'status':
      return 15_000
    // A graceful stop may take 30 s, and may have to wait for a repair or a start of the same node.
    case 'fault':
    case 'resume':
      return 180_000
    case 'restart':
      return 240_000
    case 'ready':
    case 'bring-back':
      return request.timeoutMs + 15_000
    // The position is read from the data of each node that crashed.
    case 'consider':
      return 90_000
    // Seven nodes join one after the other, and each may take two minutes.
    case 'recover':
      return 900_000
    case 'down':
      return 60_000
    case 'formed':
    case 'follow':
      return undefined
  }
}

/** Sends one request to the supervisor that holds the lock; returns its result, or throws its error. */
export async function sendRequest(
  lock: Pick<LabLock, 'socket' | 'supervisor'>,
  request: ControlRequest,
  options: SupervisorCallOptions = {},
  timeoutMs: number | undefined = requestTimeoutMs(request),
): Promise<unknown> {
  if (timeoutMs === undefined) return await exchange(lock.socket, request, options)
  const { pid } = lock.supervisor
  const expired = (): Error =>
    labError(
      'timed-out',
      `the supervisor, pid ${pid}, did not answer '${request.verb}' within ${timeoutMs} ms; ` +
        `run: kill -9 ${pid}, then repeat the command, which starts another one`,
    )
  return await withDeadline(systemClock, { timeoutMs, signal: options.signal, expired }, (signal) =>
    exchange(lock.socket, request, { ...options, signal }),
  )
}

async function exchange(
  path: string,
  request: ControlRequest,
  options: SupervisorCallOptions,
): Promise<unknown> {
  const { signal } = options
  signal?.throwIfAborted()
  const socket = connect(path)
  const lost = (cause?: unknown): Error =>
    labError('supervisor-lost', `the supervisor at ${path} closed the connection during '${request.verb}'`, {
      cause,
    })
  const abort = (): void => {
    socket.destroy(asError(signal?.reason))
  }
  signal?.addEventListener('abort', abort, { once: true })
  try {
    socket.write(`${JSON.stringify(request)}\n`)
    for await (const reply of repliesOf(socket, (error) => (signal?.aborted ? error : lost(error)))) {
      if ('event' in reply) options.onEvent?.(reply.event)
      else if ('error' in reply) throw labError(reply.error.code as BootstrapCode, reply.error.message)
      else return reply.result
    }
    signal?.throwIfAborted()
    throw lost()
  } finally {
    signal?.removeEventListener('abort', abort)
    socket.destroy()
  }
}

async function* repliesOf(socket: Socket, asCause: (error: Error) => Error): AsyncGenerator<ControlReply> {
  const failure = new Promise<never>((_, reject) => socket.once('error', (error) => reject(asCause(error))))
  // The failure is raced below; one that comes when no race is under way needs no handler.
  failure.catch(() => undefined)
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  for (;;) {
    const line = await Promise.race([lines.next(), failure])
    if (line.done === true) return
    yield JSON.parse(line.value)
  }
}

const reachTimeoutMs = 15_000
const reachPollMs = 20

/**
 * Returns the lock of the supervisor once it accepts connections. A supervisor that was killed is replaced: the new
 * one adopts the processes and heals expired faults before it answers.
 */
async function ensureSupervisor(folder: string, signal?: AbortSignal): Promise<LabLock> {
  const giveUpAt = systemClock.now() + reachTimeoutMs
  signal?.throwIfAborted()
  checkNotEnded(folder)
  if (!isHeld(readLabLock(folder))) launchSupervisor(folder)
  while (systemClock.now() < giveUpAt) {
    const lock = readLabLock(folder)
    if (lock !== undefined && isHeld(lock) && (await acceptsConnections(lock.socket))) return lock
    await systemClock.sleep(reachPollMs, signal)
    checkNotEnded(folder)
  }
  const log = supervisorLog(folder)
  const tail = logTail(log, 15).join('\n')
  throw labError(
    'supervisor-lost',
    `the supervisor of ${folder} does not answer; the end of ${log}:\n${tail}`,
  )
}

// A lab that has ended or failed has no supervisor and needs none.
function checkNotEnded(folder: string): void {
  if (!existsSync(planPath(folder))) throw labError('lab-unknown', `the lab in ${folder} has ended`)
  const { phase } = readEvents(journalPath(folder)).reduce(applyEvent, initialLabState)
  if (phase.kind === 'ended') throw labError('lab-unknown', `the lab in ${folder} has ended`)
  if (phase.kind === 'failed') throw labError('lab-failed', phase.message)
}

// The supervisor runs in a session of its own, so that neither the end of this program nor of its terminal ends it.
function launchSupervisor(folder: string): void {
  const log = openSync(supervisorLog(folder), 'a', 0o600)
  const entry = fileURLToPath(new URL('../supervisor/main.js', import.meta.url))
  const child = spawn(process.execPath, [entry, folder], {
    cwd: '/',
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  child.unref()
}

function supervisorLog(folder: string): string {
  return join(folder, 'supervisor.log')
}

/** Starts the supervisors again that were killed, so that expired faults are healed before anything else is done. */
export async function ensureSupervisors(
  signal: AbortSignal | undefined,
  home: string = labsHome(undefined),
): Promise<void> {
  const untended = labNames(home)
    .map((lab) => labFolder(home, lab))
    .filter((folder) => !isHeld(readLabLock(folder)))
  // A lab that failed, or whose supervisor cannot be started, is reported to the caller that asks for it and does not
  // affect other labs.
  await Promise.allSettled(untended.map((folder) => ensureSupervisor(folder, signal)))
}
