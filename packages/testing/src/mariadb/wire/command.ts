import { ByteReader } from './byte-reader.ts'

/** What a client asks of a server, once it is logged in. */
export type Command =
  | { readonly name: 'query'; readonly sql: string }
  | { readonly name: 'prepare'; readonly sql: string }
  /** What follows the number depends on the statement: its parameters. */
  | { readonly name: 'execute' | 'bulk-execute'; readonly statement: number; readonly body: Buffer }
  | {
      readonly name: 'send-long-data'
      readonly statement: number
      readonly index: number
      readonly bytes: Buffer
    }
  | { readonly name: 'close-statement' | 'reset-statement'; readonly statement: number }
  | { readonly name: 'init-db'; readonly schema: string }
  | { readonly name: 'change-user'; readonly body: Buffer }
  | { readonly name: 'quit' | 'ping' | 'reset-connection' | 'set-option' | 'statistics' }
  | { readonly name: 'unknown'; readonly code: number }

/** The name of a command, as rules and the log use it. */
export type CommandName = Command['name']

/** Reads a command from its packet. */
export function decodeCommand(payload: Buffer): Command {
  const reader = new ByteReader(payload)
  const code = reader.octet()
  return decoders[code]?.(reader) ?? { name: 'unknown', code }
}

const decoders: Readonly<Record<number, (reader: ByteReader) => Command>> = {
  1: () => ({ name: 'quit' }),
  2: (reader) => ({ name: 'init-db', schema: reader.rest().toString('utf8') }),
  3: (reader) => ({ name: 'query', sql: reader.rest().toString('utf8') }),
  9: () => ({ name: 'statistics' }),
  14: () => ({ name: 'ping' }),
  17: (reader) => ({ name: 'change-user', body: reader.rest() }),
  22: (reader) => ({ name: 'prepare', sql: reader.rest().toString('utf8') }),
  23: (reader) => ({ name: 'execute', statement: reader.long(), body: reader.rest() }),
  24: (reader) => ({
    name: 'send-long-data',
    statement: reader.long(),
    index: reader.short(),
    bytes: Buffer.from(reader.rest()),
  }),
  25: (reader) => ({ name: 'close-statement', statement: reader.long() }),
  26: (reader) => ({ name: 'reset-statement', statement: reader.long() }),
  27: () => ({ name: 'set-option' }),
  31: () => ({ name: 'reset-connection' }),
  250: (reader) => ({ name: 'bulk-execute', statement: reader.long(), body: reader.rest() }),
}
