import { Duplex } from 'node:stream'
import { FakeClock, settle } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { Wire, type WireListener } from '../../src/connection/wire.ts'
import { framed, rawPair } from './raw-peer.ts'

const frame = (text: string): Buffer => framed(Buffer.from(text))

function wireOn(stream: Duplex): Wire {
  return new Wire(stream, { clock: new FakeClock(), maxFrameBytes: 100 })
}

function listener(
  act: (text: string) => void = () => undefined,
): WireListener & { readonly heard: string[] } {
  const heard: string[] = []
  return {
    heard,
    frame: ({ bytes }) => {
      heard.push(bytes.toString())
      act(bytes.toString())
    },
    end: ({ message }) => heard.push(message),
  }
}

describe('a wire', () => {
  it('keeps what comes while nobody hears for the next who does', async () => {
    const { stream, peer } = rawPair()
    const wire = wireOn(stream)
    const first = listener(() => wire.pause())
    const second = listener()
    wire.listen(first)
    peer.say(frame('a'), frame('b'), frame('c'))
    await settle()
    wire.listen(second)
    expect([first.heard, second.heard]).toEqual([['a'], ['b', 'c']])
  })

  it('tells of its end whoever hears after it, and of nothing else', async () => {
    const { stream, peer } = rawPair()
    const wire = wireOn(stream)
    const late = listener()
    peer.say(frame('a'))
    peer.stream.end()
    await settle()
    wire.listen(late)
    expect(late.heard).toEqual(['the server closed the connection'])
  })

  it('on a stream that was over before is over', () => {
    const { stream } = rawPair()
    stream.destroy()
    const late = listener()
    wireOn(stream).listen(late)
    expect(late.heard).toEqual(['the server closed the connection'])
  })

  it('is ended, and nothing else is, by a hearer that throws', async () => {
    const { stream, peer } = rawPair()
    const defective = listener(() => {
      throw new Error('a defect')
    })
    wireOn(stream).listen(defective)
    peer.say(frame('a'), frame('b'))
    await settle()
    expect([defective.heard, stream.destroyed]).toEqual([['a', 'a defect'], true])
  })

  it('keeps the order when the answer comes in the turn of the question', async () => {
    const stream = new Duplex({
      read: () => undefined,
      write: (_bytes, _encoding, done) => {
        stream.push(frame('c'))
        done()
      },
    })
    const wire = wireOn(stream)
    const hearer = listener((text) => text === 'a' && wire.send(frame('question')))
    wire.listen(hearer)
    await settle()
    stream.push(Buffer.concat([frame('a'), frame('b')]))
    await settle()
    expect(hearer.heard).toEqual(['a', 'b', 'c'])
  })
})
