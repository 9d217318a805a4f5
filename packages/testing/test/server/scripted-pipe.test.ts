import type { Duplex } from 'node:stream'
import { settle } from '@ha/core/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ConnectionEnding, CutKind, Side } from '../../src/server/rules.ts'
import { type MessageReader, ScriptedPipe } from '../../src/server/scripted-pipe.ts'
import { memorySocketPair } from '../../src/server/sockets.ts'

type Act = ConnectionEnding<CutKind>

// A protocol of words behind which stands a point.
class WordReader implements MessageReader<string> {
  #text = ''

  push(bytes: Buffer): void {
    this.#text += bytes.toString()
  }

  next(): string | undefined {
    const end = this.#text.indexOf('.')
    if (end < 0) return undefined
    const word = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 1)
    return word
  }
}

let rule: { readonly from: Side; readonly byte: number; readonly act: Act } | undefined
let client: Duplex
let pipe: ScriptedPipe<string>
let heard: string
let said: string[]
let closed: number

beforeEach(() => {
  rule = undefined
  heard = ''
  said = []
  closed = 0
  const sockets = memorySocketPair()
  client = sockets.client
  client.on('data', (bytes: Buffer) => (heard += bytes.toString()))
  client.on('end', () => (heard += '<end>'))
  client.on('error', (error: NodeJS.ErrnoException) => (heard += `<${error.code}>`))
  pipe = new ScriptedPipe(sockets.server, {
    reader: new WordReader(),
    stopIn: (from, position, length) => {
      const isInside = rule?.from === from && rule.byte > position && rule.byte <= position + length
      return isInside && rule !== undefined ? { bytes: rule.byte - position, act: rule.act } : undefined
    },
    onClosed: () => (closed += 1),
  })
  void listen()
})

async function listen(): Promise<void> {
  for (let word = await pipe.read(); word !== undefined; word = await pipe.read()) said.push(word)
  said.push('<over>')
}

describe('a pipe', () => {
  it('gives what the client says, one by one, however it arrives', async () => {
    client.write('a.b')
    client.write('b.c')
    await settle()

    expect(said).toEqual(['a', 'bb'])
  })

  it('is over when the client has ended, behind what it had said', async () => {
    client.end('a.')
    await settle()

    expect(said).toEqual(['a', '<over>'])
    expect(closed).toBe(1)
  })

  it('hears nothing while its process stands still, and everything afterwards', async () => {
    pipe.freeze()
    client.write('a.')
    await settle()
    expect(said).toEqual([])

    pipe.thaw()
    await settle()

    expect(said).toEqual(['a'])
  })

  it('carries nothing either way while the network is cut, and owes what was said', async () => {
    pipe.partition()
    client.write('a.')
    pipe.write(Buffer.from('answer'))
    await settle()
    expect([said, heard]).toEqual([[], ''])

    pipe.heal()
    await settle()

    expect([said, heard]).toEqual([['a'], 'answer'])
  })

  it('stays unheard when only one of two reasons is gone', async () => {
    pipe.freeze()
    pipe.partition()
    pipe.heal()
    client.write('a.')
    await settle()

    expect(said).toEqual([])
  })
})

describe('a rule about bytes', () => {
  const endings: readonly { act: Act; told: string; next: readonly string[] }[] = [
    { act: { do: 'silence' }, told: 'ans', next: [] },
    { act: { do: 'cut', how: 'reset' }, told: 'ans<ECONNRESET>', next: ['<over>'] },
    { act: { do: 'cut', how: 'end' }, told: 'ans<end>', next: ['<over>'] },
  ]
  it.each(endings)('lets a pipe end with $act behind what was said', async ({ act, told, next }) => {
    rule = { from: 'server', byte: 3, act }
    pipe.write(Buffer.from('answer'))
    client.write('a.')
    await settle()
    await settle()

    expect(heard).toBe(told)
    expect(said).toEqual(next)
  })

  it('counts the bytes of the client over what it says at once', async () => {
    rule = { from: 'client', byte: 3, act: { do: 'cut', how: 'end' } }
    client.write('a.')
    client.write('b.c.')
    await settle()

    expect(said).toEqual(['a', '<over>'])
  })

  it('lets a pipe that ended its half hear the client out', async () => {
    pipe.end({ do: 'cut', how: 'half' })
    pipe.write(Buffer.from('answer'))
    await settle()

    expect([heard, pipe.isListening]).toEqual(['<end>', true])
  })
})

describe('a pipe that is ended by force', () => {
  it('tells its client when the network carries again', async () => {
    pipe.partition()
    pipe.reset()
    await settle()
    expect(heard).toBe('')

    pipe.heal()
    await settle()

    expect(heard).toBe('<ECONNRESET>')
  })

  it('leaves nothing behind when it is destroyed, whatever the network', async () => {
    pipe.partition()
    pipe.destroy()
    await settle()

    expect(closed).toBe(1)
    expect(said).toEqual(['<over>'])
  })
})
