import {
  contentHeader,
  frame,
  greeting,
  method,
  open,
  openChannel,
  openRawClient,
  publish,
  type RawClient,
  rawClient,
  short,
  startOk,
  text,
  tuneOk,
} from '../raw-client.ts'
import type { Scenario } from './harness.ts'

/** A scenario in which a client that is through the door says something wrong. */
function said(what: string, bytes: readonly Buffer[], expected: string): Scenario {
  return {
    name: `refuses ${what}`,
    act: async ({ url }) =>
      ending(await openRawClient(url, 2), (client) => {
        client.say(...bytes)
        return client.refusal()
      }),
    expected,
  }
}

async function ending<T>(client: RawClient, act: (client: RawClient) => Promise<T>): Promise<T> {
  try {
    return await act(client)
  } finally {
    client.socket.destroy()
  }
}

// A client that comes as far as the greeting and says this then.
async function greeted(url: string, ...bytes: readonly Buffer[]): Promise<RawClient> {
  const client = await rawClient(url)
  client.say(greeting)
  await client.next()
  client.say(...bytes)
  return client
}

const garbage = Buffer.from('garbage garbage')
const badEnd = method(1, 20, 20, Buffer.of(1))
badEnd[badEnd.length - 1] = 7

/** What brokers say to who comes in the wrong way, and to who does not speak AMQP. */
export const handshakes: readonly Scenario[] = [
  {
    name: 'answers another protocol with its own, and hangs up',
    act: async ({ url }) =>
      ending(await rawClient(url), async (client) => {
        client.say(Buffer.from('GET / HT'))
        await client.closed
        return client.heard.toString('latin1')
      }),
    expected: 'AMQP\0\0\x09\x01',
  },
  {
    name: 'refuses a wrong password',
    act: async ({ url }) =>
      ending(await greeted(url, startOk('\0guest\0wrong')), (client) => client.refusal()),
    expected:
      'connection 403 for 0.0: ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.',
  },
  {
    name: 'refuses a vhost that is not there',
    act: async ({ url }) =>
      ending(await greeted(url, startOk('\0guest\0guest'), tuneOk(10, 4096, 0), open('none')), (client) =>
        client.refusal(),
      ),
    expected: 'connection 530 for 10.40: NOT_ALLOWED - vhost none not found',
  },
  said(
    'a method on a channel that is not open',
    [method(1, 20, 20, Buffer.of(1))],
    "connection 504 for 20.20: CHANNEL_ERROR - expected 'channel.open'",
  ),
  said(
    'a channel that is open already',
    [openChannel(1), openChannel(1)],
    "connection 504 for 20.10: CHANNEL_ERROR - second 'channel.open' seen",
  ),
  said(
    'more channels than agreed',
    [openChannel(5), openChannel(6), openChannel(7)],
    'connection 530 for 0.0: NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)',
  ),
  said(
    'bytes that are no frame',
    [garbage],
    'connection 501 for 0.0: FRAME_ERROR - type 103, all octets = <<>>: {frame_too_large,1650550629,4088}',
  ),
  said(
    'a frame that is too long',
    [frame(3, 1, Buffer.alloc(5000))],
    'connection 501 for 0.0: FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,5000,4088}',
  ),
  said(
    'a frame that does not end as frames end',
    [badEnd],
    'connection 501 for 0.0: FRAME_ERROR - type 1, all octets = <<0,20,0,20,1>>: {invalid_frame_end_marker,7}',
  ),
  said(
    'a frame of an unknown type',
    [frame(9, 1, Buffer.from('x'))],
    'connection 501 for 0.0: FRAME_ERROR - type 9, all octets = <<"x">>: unknown_frame',
  ),
  said(
    'a body before its method',
    [openChannel(1), frame(3, 1, Buffer.from('x'))],
    'connection 505 for 0.0: UNEXPECTED_FRAME - expected method frame, got non method frame instead',
  ),
  said(
    'a method in the place of a header',
    [openChannel(1), publish(''), method(1, 20, 20, Buffer.of(1))],
    'connection 505 for 60.40: UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead',
  ),
  said(
    'the header of another class',
    [openChannel(1), publish(''), contentHeader(2, 50)],
    'connection 505 for 60.40: UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead',
  ),
  said(
    'a method in the place of a body',
    [openChannel(1), publish(''), contentHeader(2), method(1, 20, 20, Buffer.of(1))],
    'connection 505 for 60.40: UNEXPECTED_FRAME - expected content body, got non content body frame instead',
  ),
  said(
    'a heartbeat on a channel',
    [openChannel(1), frame(8, 1, Buffer.alloc(0))],
    'connection 505 for 0.0: UNEXPECTED_FRAME - type 8, all octets = <<>>',
  ),
  said(
    'immediate delivery',
    [openChannel(1), publish('', 2), contentHeader(0)],
    'connection 540 for 60.40: NOT_IMPLEMENTED - immediate=true',
  ),
  said(
    'a stopped flow',
    [openChannel(1), method(1, 20, 20, Buffer.of(0))],
    'connection 540 for 20.20: NOT_IMPLEMENTED - active=false',
  ),
  said(
    'recovery without requeueing',
    [openChannel(1), method(1, 60, 110, Buffer.of(0))],
    'connection 540 for 60.110: NOT_IMPLEMENTED - requeue=false',
  ),
  said(
    'a prefetch in bytes',
    [openChannel(1), method(1, 60, 10, short(0), short(9), short(0), Buffer.of(0))],
    'connection 540 for 60.10: NOT_IMPLEMENTED - prefetch_size!=0 (9)',
  ),
  said(
    'an answer that nobody asked for',
    [openChannel(1), method(1, 20, 41)],
    'connection 503 for 20.41: COMMAND_INVALID - unimplemented method',
  ),
  said(
    'properties that are cut off',
    [openChannel(1), publish(''), frame(2, 1, Buffer.from([0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0]))],
    'connection 541 for 0.0: INTERNAL_ERROR',
  ),
  said(
    'properties that go on behind their end',
    [openChannel(1), publish(''), frame(2, 1, Buffer.from([0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]))],
    'connection 541 for 0.0: INTERNAL_ERROR',
  ),
  said(
    'frames on a channel that both sides know to be closed',
    [openChannel(1), publish('none'), contentHeader(0), method(1, 20, 20, Buffer.of(1)), method(1, 20, 41)],
    "channel 404 for 60.40: NOT_FOUND - no exchange 'none' in vhost '/'",
  ),
  {
    name: 'agrees when both sides close a channel',
    act: async ({ url }) =>
      ending(await openRawClient(url), async (client) => {
        client.say(openChannel(1), publish('none'), contentHeader(0))
        const replies = [(await client.next()).id, (await client.next()).id]
        client.say(method(1, 20, 40, short(200), text(''), short(0), short(0)))
        return [...replies, (await client.next()).id]
      }),
    expected: ['20.11', '20.40', '20.41'],
  },
  {
    name: 'opens a channel again that was closed',
    act: async ({ url }) =>
      ending(await openRawClient(url), async (client) => {
        client.say(openChannel(1), method(1, 20, 40, short(200), text(''), short(0), short(0)))
        const replies = [(await client.next()).id, (await client.next()).id]
        client.say(openChannel(1))
        return [...replies, (await client.next()).id]
      }),
    expected: ['20.11', '20.41', '20.11'],
  },
]
