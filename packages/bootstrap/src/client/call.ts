import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { systemClock } from '@ha/core'
import { asError, withDeadline } from '@ha/core/driver'
import type { RecordedEvent } from '../lab/events.ts'
import type { Reply, Request } from '../lab/wire.ts'
import { type BootstrapCode, labError } from '../model/codes.ts'
import type { LabLock } from '../supervisor/claim.ts'

/** How a call may be ended early, and who hears the events on the way. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: RecordedEvent) => void) | undefined
}

/** The longest that a supervisor in its right mind takes for a request; undefined for those that wait for events. */
export function requestTimeoutMs(request: Request): number | undefined {
  switch (request.verb) {
    case 'status':
      return 15_000
    // A graceful stop may take 30 s, and wait for the repair or the start that is under way at the same node.
    case 'fault':
    case 'resume':
      return 180_000
    case 'restart':
      return 240_000
    case 'ready':
      return request.timeoutMs + 15_000
    // A position is read from the data of each node that crashed.
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

/** Sends one request to the supervisor that holds the lab and returns its result, or throws its error. */
export async function sendRequest(
  claim: Pick<LabLock, 'socket' | 'supervisor'>,
  request: Request,
  options: CallOptions = {},
  timeoutMs: number | undefined = requestTimeoutMs(request),
): Promise<unknown> {
  if (timeoutMs === undefined) return await exchange(claim.socket, request, options)
  const { pid } = claim.supervisor
  const expired = (): Error =>
    labError(
      'timed-out',
      `the supervisor, pid ${pid}, has not answered '${request.verb}' in ${timeoutMs} ms; ` +
        `type: kill -9 ${pid}, then the same again: another one takes its place`,
    )
  return await withDeadline(systemClock, { timeoutMs, signal: options.signal, expired }, (signal) =>
    exchange(claim.socket, request, { ...options, signal }),
  )
}

async function exchange(path: string, request: Request, options: CallOptions): Promise<unknown> {
  const { signal } = options
  signal?.throwIfAborted()
  const socket = connect(path)
  const lost = (cause?: unknown): Error =>
    labError('supervisor-lost', `the supervisor at ${path} hung up in the middle of '${request.verb}'`, {
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

async function* repliesOf(socket: Socket, told: (error: Error) => Error): AsyncGenerator<Reply> {
  const failure = new Promise<never>((_, reject) => socket.once('error', (error) => reject(told(error))))
  // Raced below; without a race under way a late error concerns nobody.
  failure.catch(() => undefined)
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  for (;;) {
    const line = await Promise.race([lines.next(), failure])
    if (line.done === true) return
    yield JSON.parse(line.value)
  }
}
