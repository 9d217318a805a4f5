import { codec } from './codec.ts'
import { opcodes } from './opcodes.ts'
import { ignored, nothing, type Request, xids } from './request.ts'

const authPacket = codec('AuthPacket')

/** Asks for a sign of life, and is one. */
export function ping(): Request<void> {
  return {
    name: 'ping',
    opcode: opcodes.ping,
    path: undefined,
    fixedXid: xids.ping,
    encode: nothing,
    decode: ignored,
  }
}

/** Gives the session a name. It does not count as a sign of life: the server does not touch the session for it. */
export function auth(scheme: string, value: Buffer): Request<void> {
  return {
    name: 'auth',
    opcode: opcodes.auth,
    path: undefined,
    fixedXid: xids.auth,
    encode: () => authPacket.encode({ type: 0, scheme, auth: value }),
    decode: ignored,
  }
}

/** Ends the session: its ephemeral nodes go before the answer comes. */
export function closeSession(): Request<void> {
  return {
    name: 'closeSession',
    opcode: opcodes.closeSession,
    path: undefined,
    encode: nothing,
    decode: ignored,
  }
}
