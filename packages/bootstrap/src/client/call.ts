import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { asError } from '@ha/core'
import type { Recorded } from '../lab/events.ts'
import type { Reply, Request } from '../lab/wire.ts'
import { type BootstrapCode, labError } from '../model/codes.ts'

/** How a call may be ended early, and who hears the events on the way. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: Recorded) => void) | undefined
}

/** Sends one request to the supervisor behind a socket and returns its result, or throws its error. */
export async function call(path: string, request: Request, options: CallOptions = {}): Promise<unknown> {
  options.signal?.throwIfAborted()
  const socket = connect(path)
  const lost = labError(
    'supervisor-lost',
    `the supervisor at ${path} hung up in the middle of '${request.verb}'`,
  )
  const abort = (): void => {
    socket.destroy(asError(options.signal?.reason))
  }
  options.signal?.addEventListener('abort', abort, { once: true })
  try {
    socket.write(`${JSON.stringify(request)}\n`)
    for await (const reply of repliesOf(socket)) {
      if ('event' in reply) options.onEvent?.(reply.event)
      else if ('error' in reply) throw labError(reply.error.code as BootstrapCode, reply.error.message)
      else return reply.result
    }
    options.signal?.throwIfAborted()
    throw lost
  } finally {
    options.signal?.removeEventListener('abort', abort)
    socket.destroy()
  }
}

async function* repliesOf(socket: Socket): AsyncGenerator<Reply> {
  const failure = new Promise<never>((_, reject) => socket.once('error', reject))
  // Raced below; without a race under way a late error concerns nobody.
  failure.catch(() => undefined)
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  for (;;) {
    const line = await Promise.race([lines.next(), failure])
    if (line.done === true) return
    yield JSON.parse(line.value)
  }
}
