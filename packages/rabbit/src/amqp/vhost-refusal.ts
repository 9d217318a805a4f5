import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Endpoint } from '@ha/core'
import { converse, type Talk } from './bare-socket.ts'

export interface Login {
  readonly username: string
  readonly password: string
  readonly vhost: string
  readonly tls: TlsOptions | undefined
}

/** How the broker refused a virtual host. */
export interface Refusal {
  readonly code: number
  readonly text: string
}

/**
 * Asks a broker once more for the virtual host that it has just refused: the driver does not say with which code, and
 * one that is still starting is another matter than one that does not exist. Undefined when it is let in now.
 */
export function askWhyRefused(
  login: Login,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  let unread: Buffer = Buffer.alloc(0)
  const onData = (data: Buffer, talk: Talk<Refusal | undefined>): void => {
    unread = Buffer.concat([unread, data])
    for (let frame = firstFrame(unread); frame !== undefined; frame = firstFrame(unread)) {
      unread = unread.subarray(frame.length + frameOverhead)
      reply(frame, login, talk)
    }
  }
  return converse(endpoint, login.tls, onData, signal)
}

// Type, channel and size before the payload, and the end mark after it.
const headerBytes = 7
const frameOverhead = headerBytes + 1
const endMark = 0xce

// The methods of class 10, `connection`.
const start = 10
const startOk = 11
const tune = 30
const tuneOk = 31
const open = 40
const openOk = 41
const close = 50

function firstFrame(bytes: Buffer): Buffer | undefined {
  if (bytes.length < headerBytes) return undefined
  const size = bytes.readUInt32BE(3)
  return bytes.length < size + frameOverhead ? undefined : bytes.subarray(headerBytes, headerBytes + size)
}

function reply(payload: Buffer, login: Login, { say, end }: Talk<Refusal | undefined>): void {
  if (payload.length < 4) return
  const args = payload.subarray(4)
  switch (payload.readUInt16BE(2)) {
    case start: {
      const response = `\0${login.username}\0${login.password}`
      say(method(startOk, long(0), shortText('PLAIN'), longText(response), shortText('en_US')))
      return
    }
    case tune:
      say(method(tuneOk, args))
      say(method(open, shortText(login.vhost), shortText(''), Buffer.of(0)))
      return
    case openOk:
      end(undefined)
      return
    case close:
      end({ code: args.readUInt16BE(0), text: args.subarray(3, 3 + args.readUInt8(2)).toString() })
      return
    default:
  }
}

function method(id: number, ...args: readonly Buffer[]): Buffer {
  const payload = Buffer.concat([Buffer.of(0, 10, 0, id), ...args])
  return Buffer.concat([Buffer.of(1, 0, 0), long(payload.length), payload, Buffer.of(endMark)])
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function longText(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([long(bytes.length), bytes])
}

function shortText(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}
