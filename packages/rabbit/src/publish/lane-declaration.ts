import { type Declaration, formatEndpoint, type Link } from '@ha/core'
import { openConfirmChannel } from '../amqp/channel.ts'
import type { AmqpConnection } from '../amqp/connection.ts'
import { rabbitChannels } from '../channels.ts'
import type { Lane } from './lane.ts'
import type { LaneChannel } from './lane-channel.ts'

/** A confirm channel for a lane, opened on every connection, and again whenever the lane has no more use for it. */
export function laneDeclaration(
  key: string,
  lane: Lane,
  link: Link<AmqpConnection>,
  timeoutMs: number,
): Declaration<AmqpConnection> {
  const apply = async (connection: AmqpConnection, signal: AbortSignal): Promise<void> => {
    const guard = await openConfirmChannel(connection, signal)
    guard.over.throwIfAborted()
    const onDone: LaneChannel['onDone'] = (error, how) => {
      const over = connection.over.aborted
      if (rabbitChannels.laneLost.hasSubscribers)
        rabbitChannels.laneLost.publish({ lane: key, how, error, connectionOver: over })
      // With its connection gone, the link puts everything back by itself. What hangs was waited for already.
      if (!over) link.lapse(key, error, { paced: how === 'hanging' })
    }
    lane.open({ guard, endpoint: formatEndpoint(connection.endpoint), onDone })
  }
  return { key, needs: [], gates: false, survives: false, timeoutMs, apply }
}
