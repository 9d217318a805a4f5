import { type AmqpException, connectionException } from '../broker/exceptions.ts'
import type { PublishAct } from '../rules.ts'
import type { ContentBody, ContentHeader, Frame } from '../wire/frames.ts'
import type { Method, MethodOf } from '../wire/methods.ts'
import { basicClassId, frameOverheadBytes } from '../wire/protocol.ts'

/** A method with its content. */
export type ChannelCommand =
  | { readonly kind: 'plain'; readonly method: Exclude<Method, Publish> }
  | {
      readonly kind: 'publish'
      readonly method: Publish
      readonly content: Content
      readonly act: PublishAct | undefined
    }

/** Properties and body of a message. */
export interface Content {
  readonly properties: Buffer
  readonly body: readonly Buffer[]
  readonly bodyBytes: number
}

type Publish = MethodOf<'basic.publish'>

/** The part of a command that has arrived. */
export type CommandAssembly =
  | { readonly kind: 'method' }
  | { readonly kind: 'header'; readonly method: Publish; readonly act: PublishAct | undefined }
  | {
      readonly kind: 'body'
      readonly method: Publish
      readonly act: PublishAct | undefined
      readonly header: ContentHeader
      readonly body: readonly Buffer[]
      readonly missingBytes: number
    }

/** The state after a frame, and the command that it completes. */
interface Assembled {
  readonly next: CommandAssembly
  readonly command: ChannelCommand | undefined
}

/** Nothing has arrived yet. */
export const emptyAssembly: CommandAssembly = { kind: 'method' }

/** Adds a frame; throws UNEXPECTED_FRAME at one that is not expected. */
export function assemble(assembly: CommandAssembly, frame: Frame, act: PublishAct | undefined): Assembled {
  switch (assembly.kind) {
    case 'method':
      if (frame.kind === 'method') return begin(frame.method, act)
      throw unexpected('expected method frame, got non method frame instead')
    case 'header':
      if (frame.kind === 'content-header') return addHeader(assembly, frame)
      throw unexpected(
        `expected content header for class ${basicClassId}, got non content header frame instead`,
      )
    case 'body':
      if (frame.kind === 'content-body') return addBody(assembly, frame)
      throw unexpected('expected content body, got non content body frame instead')
  }
}

function begin(method: Method, act: PublishAct | undefined): Assembled {
  if (method.name === 'basic.publish') return { next: { kind: 'header', method, act }, command: undefined }
  return { next: emptyAssembly, command: { kind: 'plain', method } }
}

function addHeader(
  { method, act }: Extract<CommandAssembly, { kind: 'header' }>,
  header: ContentHeader,
): Assembled {
  if (header.classId !== basicClassId) {
    throw unexpected(
      `expected content header for class ${basicClassId}, got one for class ${header.classId} instead`,
    )
  }
  return withBody({ kind: 'body', method, act, header, body: [], missingBytes: header.bodyBytes })
}

function addBody(assembly: Extract<CommandAssembly, { kind: 'body' }>, frame: ContentBody): Assembled {
  const missingBytes = assembly.missingBytes - frame.bytes.length
  if (missingBytes < 0) throw unexpected('the body is longer than its header says')
  return withBody({ ...assembly, body: [...assembly.body, frame.bytes], missingBytes })
}

function withBody(assembly: Extract<CommandAssembly, { kind: 'body' }>): Assembled {
  const { method, act, header, body, missingBytes } = assembly
  if (missingBytes > 0) return { next: assembly, command: undefined }
  const content = { properties: header.properties, body, bodyBytes: header.bodyBytes }
  return { next: emptyAssembly, command: { kind: 'publish', method, content, act } }
}

function unexpected(text: string): AmqpException {
  return connectionException('UNEXPECTED_FRAME', text)
}

/** The frames of a method and its content, none longer than the negotiated maximum. */
export function framesOf(
  channel: number,
  method: Method,
  content: Content | undefined,
  frameMaxBytes: number,
): readonly Frame[] {
  const first: Frame = { kind: 'method', channel, method }
  if (content === undefined) return [first]
  const { properties, bodyBytes, body } = content
  const header: Frame = { kind: 'content-header', channel, classId: basicClassId, bodyBytes, properties }
  const pieces = body.flatMap((bytes) => piecesOf(bytes, frameMaxBytes - frameOverheadBytes))
  return [first, header, ...pieces.map((bytes): Frame => ({ kind: 'content-body', channel, bytes }))]
}

function piecesOf(bytes: Buffer, maxBytes: number): readonly Buffer[] {
  if (bytes.length <= maxBytes) return [bytes]
  const count = Math.ceil(bytes.length / maxBytes)
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * maxBytes, (i + 1) * maxBytes))
}
