/** The numbers of AMQP 0-9-1 that frames and exceptions are made of. */
export const frameType = { method: 1, header: 2, body: 3, heartbeat: 8 } as const

/** Every frame ends with this octet. */
export const frameEnd = 0xce

/** What a frame carries around its payload: type, channel and size before it, the end octet behind it. */
export const frameOverheadBytes = 8

/** No peer may ask for smaller frames than these. */
export const minFrameBytes = 4096

/** The eight octets that a client sends first. */
export const protocolHeader: Buffer = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1])

/** The class of the methods that carry messages, which a content header repeats. */
export const basicClassId = 60

/** Reply codes by the names that RabbitMQ puts in front of its reply texts. */
export const replyCodes = {
  NO_ROUTE: 312,
  CONNECTION_FORCED: 320,
  ACCESS_REFUSED: 403,
  NOT_FOUND: 404,
  RESOURCE_LOCKED: 405,
  PRECONDITION_FAILED: 406,
  FRAME_ERROR: 501,
  SYNTAX_ERROR: 502,
  COMMAND_INVALID: 503,
  CHANNEL_ERROR: 504,
  UNEXPECTED_FRAME: 505,
  NOT_ALLOWED: 530,
  NOT_IMPLEMENTED: 540,
  INTERNAL_ERROR: 541,
} as const

/** The name of a reply code. */
export type ReplyName = keyof typeof replyCodes
