import { codec } from './codec.ts'
import { opcodes } from './opcodes.ts'
import { ignored, type Request, xids } from './request.ts'

/** The watches that a new connection begins with. */
export interface WatchSet {
  /** The latest transaction that we have seen: what happened after it is told at once. */
  readonly relativeZxid: bigint
  /** Of nodes whose data was read. */
  readonly data: readonly string[]
  /** Of nodes that were not there. */
  readonly exists: readonly string[]
  readonly children: readonly string[]
  /** Those of `addWatch`; servers have them from 3.6 on. */
  readonly persistent: readonly string[]
  readonly recursive: readonly string[]
}

const setWatchesRequest = codec('SetWatches')
const setWatches2Request = codec('SetWatches2')
const addWatchRequest = codec('AddWatchRequest')
const removeWatchesRequest = codec('RemoveWatchesRequest')

/** Sets watches; without persistent ones, in the form that servers before 3.6 know as well. */
export function setWatches(set: WatchSet): Request<void> {
  const oneShot = {
    relativeZxid: set.relativeZxid,
    dataWatches: set.data,
    existWatches: set.exists,
    childWatches: set.children,
  }
  const lasting = { persistentWatches: set.persistent, persistentRecursiveWatches: set.recursive }
  const isOneShot = set.persistent.length === 0 && set.recursive.length === 0
  return {
    name: 'setWatches',
    opcode: isOneShot ? opcodes.setWatches : opcodes.setWatches2,
    path: undefined,
    fixedXid: xids.setWatches,
    encode: () =>
      isOneShot ? setWatchesRequest.encode(oneShot) : setWatches2Request.encode({ ...oneShot, ...lasting }),
    decode: ignored,
  }
}

/** Adds a watch that stays when it has told something. Refused with -6 by servers before 3.6. */
export function addWatch(path: string, mode: 'persistent' | 'recursive'): Request<void> {
  return {
    name: 'addWatch',
    opcode: opcodes.addWatch,
    path,
    encode: () => addWatchRequest.encode({ path, mode: mode === 'recursive' ? 1 : 0 }),
    decode: ignored,
  }
}

const watcherTypes = { children: 1, data: 2, any: 3 } as const

/** Takes watches away. Refused with -121 when there are none. */
export function removeWatches(path: string, type: keyof typeof watcherTypes): Request<void> {
  return {
    name: 'removeWatches',
    opcode: opcodes.removeWatches,
    path,
    encode: () => removeWatchesRequest.encode({ path, type: watcherTypes[type] }),
    decode: ignored,
  }
}
