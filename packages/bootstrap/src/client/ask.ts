import { isHaError, systemClock } from '@ha/core'
import { asError } from '@ha/core/driver'
import type { Request } from '../lab/wire.ts'
import { isHeld, type LabLock } from '../supervisor/claim.ts'
import { type CallOptions, sendRequest } from './call.ts'
import { ensureSupervisor } from './reach.ts'

const endPollMs = 20
// A process that was killed is gone within milliseconds, and holds its socket until then.
const endTimeoutMs = 2_000

/**
 * Asks the supervisor of the lab in this folder. One that dies while it is asked is replaced and the other one asked
 * again, where asking twice does no harm.
 */
export async function callSupervisor(
  folder: string,
  request: Request,
  options: CallOptions = {},
): Promise<unknown> {
  const claim = await ensureSupervisor(folder, options.signal)
  try {
    return await sendRequest(claim, request, options)
  } catch (thrown) {
    const isLost = isHaError(thrown) && thrown.code === 'supervisor-lost'
    if (!isLost || !isRepeatable(request) || !(await hasEnded(claim))) throw asError(thrown)
    return await sendRequest(await ensureSupervisor(folder, options.signal), request, options)
  }
}

/** Whether a request that may have been carried out can be made again. */
export function isRepeatable(request: Request): boolean {
  switch (request.verb) {
    case 'status':
    case 'ready':
    case 'resume':
    case 'consider':
    case 'down':
      return true
    // A second fault would last longer than was asked for, a second restart is one more, a recovery decides
    // by what it finds, and events were heard.
    case 'fault':
    case 'restart':
    case 'recover':
    case 'formed':
    case 'follow':
      return false
  }
}

async function hasEnded(claim: LabLock): Promise<boolean> {
  const giveUpAt = systemClock.now() + endTimeoutMs
  while (isHeld(claim)) {
    if (systemClock.now() > giveUpAt) return false
    await systemClock.sleep(endPollMs)
  }
  return true
}
