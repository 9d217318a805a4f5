/** What a client can ask for, by the number that it carries on the wire. */
export const opCodes = {
  create: 1,
  delete: 2,
  exists: 3,
  'get-data': 4,
  'set-data': 5,
  'get-acl': 6,
  'set-acl': 7,
  'get-children': 8,
  sync: 9,
  ping: 11,
  'get-children2': 12,
  check: 13,
  multi: 14,
  create2: 15,
  'check-watches': 17,
  'remove-watches': 18,
  'create-container': 19,
  'create-ttl': 21,
  auth: 100,
  'set-watches': 101,
  'set-watches2': 105,
  'add-watch': 106,
  'close-session': -11,
} as const

/** The name of a request. */
export type OpName = keyof typeof opCodes

const names = new Map<number, OpName>(
  Object.entries(opCodes).map(([name, number]) => [number, name as OpName]),
)

/** The name of the request of this number; undefined when the servers know none. */
export function opOf(number: number): OpName | undefined {
  return names.get(number)
}
