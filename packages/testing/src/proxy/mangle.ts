import type { Plan } from './plan.ts'

/** The bytes as they arrive: with the one changed and the one doubled that the plan names, if they are among them. */
export function mangle(plan: Plan, passedBytes: number, bytes: Buffer): Buffer {
  const changed = corrupted(bytes, plan.corrupt.at - passedBytes, plan.corrupt.xor)
  return duplicated(changed, plan.duplicateAt - passedBytes)
}

function corrupted(bytes: Buffer, index: number, xor: number): Buffer {
  const byte = bytes[index]
  if (byte === undefined) return bytes
  const copy = Buffer.from(bytes)
  copy[index] = byte ^ xor
  return copy
}

function duplicated(bytes: Buffer, index: number): Buffer {
  if (bytes[index] === undefined) return bytes
  return Buffer.concat([bytes.subarray(0, index + 1), bytes.subarray(index)])
}
