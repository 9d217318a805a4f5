import { settle } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { connectionRefused, memorySocketPair } from '../../src/server/sockets.ts'

function newPair(): { readonly heard: string[]; readonly pair: ReturnType<typeof memorySocketPair> } {
  const pair = memorySocketPair()
  const heard: string[] = []
  pair.client.on('data', (bytes: Buffer) => heard.push(bytes.toString()))
  pair.client.on('end', () => heard.push('end'))
  pair.client.on('error', (error: NodeJS.ErrnoException) => heard.push(error.code ?? error.message))
  return { heard, pair }
}

describe('two sockets in memory', () => {
  it('carry what one says to the other', async () => {
    const { heard, pair } = newPair()
    pair.server.stream.write('hello')
    await settle()

    expect(heard).toEqual(['hello'])
  })

  it('end for one when the other ends', async () => {
    const { heard, pair } = newPair()
    pair.server.stream.end('bye')
    await settle()

    expect(heard).toEqual(['bye', 'end'])
  })

  it('keep what is said for one that does not listen', async () => {
    const { heard, pair } = newPair()
    pair.client.pause()
    pair.server.stream.write('hello')
    await settle()
    expect(heard).toEqual([])

    pair.client.resume()
    await settle()

    expect(heard).toEqual(['hello'])
  })

  it('are reset at once', async () => {
    const { heard, pair } = newPair()
    pair.server.reset()
    await settle()

    expect(heard).toEqual(['ECONNRESET'])
    expect(pair.server.stream.destroyed).toBe(true)
  })

  // A client that goes on for a few steps with what it heard, such as a log-in, still does so on an open connection.
  it('are reset behind what was said when all has been done that follows from it', async () => {
    const { heard, pair } = newPair()
    pair.client.once('data', async () => {
      for (let step = 0; step < 10; step++) await Promise.resolve()
      process.nextTick(() => heard.push('understood'))
    })
    pair.server.stream.write('hello')
    pair.server.resetAfterRead()
    await settle()
    await settle()

    expect(heard).toEqual(['hello', 'understood', 'ECONNRESET'])
  })
})

describe('a connection that nobody accepts', () => {
  it('is refused as the system refuses it', () => {
    const { message, ...facts } = connectionRefused('127.0.0.1:40001') as NodeJS.ErrnoException

    expect(message).toBe('connect ECONNREFUSED 127.0.0.1:40001')
    expect(facts).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect' })
  })
})
