import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { detachStack, HaError } from '../../src/errors/ha-error.ts'
import { settle } from '../../src/testing/fake-clock.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

class Connection {
  readonly unsent: Uint8Array = new Uint8Array(1_000)
  fail(make: () => Error): Error {
    return make()
  }
}

async function stillHeld(make: () => Error, keep: (error: Error) => unknown): Promise<boolean> {
  const { holder, connection } = failed(make, keep)
  await settle()
  collect()
  return holder.error !== undefined && connection.deref() !== undefined
}

function failed(make: () => Error, keep: (error: Error) => unknown) {
  const connection = new Connection()
  const error = connection.fail(make)
  keep(error)
  return { holder: { error }, connection: new WeakRef(connection) }
}

describe('an error that is kept', () => {
  const plain = (): Error => new Error('gone')
  const wrapped = (): Error => {
    const inner = new Error('gone', { cause: new Error('reset') })
    return new HaError('unreachable', 'all', {
      cause: inner,
      attempts: [{ endpoint: 'n1:1', error: plain() }],
    })
  }

  it('would hold the connection it was made in', async () => {
    expect(await stillHeld(plain, () => undefined)).toBe(true)
  })

  it('lets go of it, and so do its causes and attempts', async () => {
    expect(await stillHeld(plain, detachStack)).toBe(false)
    expect(await stillHeld(wrapped, detachStack)).toBe(false)
  })

  it('is the same error', () => {
    const error = plain()
    expect(detachStack(error)).toBe(error)
  })

  it('may be its own cause', () => {
    const error: Error = new Error('odd')
    error.cause = error
    expect(detachStack(error).cause).toBe(error)
  })
})
