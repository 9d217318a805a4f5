import { subscribe } from 'node:diagnostics_channel'
import { bytes, createRabbit, isHaError } from '@ha/rabbit'
import type { Contestant, ContestantMaker, ContestantSetup, PublishResult } from './contestant.ts'

/** Our own client, with its defaults; the order of the nodes is given, and it stays where it went. */
export const ours: ContestantMaker = {
  name: '@ha/rabbit',
  settings: () => 'defaults; nodes in the given order, no fail-back',
  async start(setup: ContestantSetup): Promise<Contestant> {
    const rabbit = createRabbit({
      addresses: setup.endpoints,
      strategy: 'sequential',
      failBackAfterMs: Number.POSITIVE_INFINITY,
    })
    rabbit.events.on('failover', ({ role, from, to, cause, detectMs, dialMs, restoreMs, replayed }) => {
      const times = `detect ${Math.round(detectMs)}, dial ${Math.round(dialMs)}, restore ${Math.round(restoreMs)} ms`
      setup.onNote(`${role}: ${from} -> ${to} (${cause}; ${times}; ${replayed} replayed)`)
    })
    subscribe('ha:rabbit:lane-lost', (message) => {
      const { how, error } = message as { how: string; error: Error }
      setup.onNote(`lane ${how}: ${error.message}`)
    })
    rabbit.events.on('stalled', ({ unconfirmed, forMs }) =>
      setup.onNote(`stalled: ${unconfirmed} for ${forMs} ms`),
    )
    const publisher = rabbit.publisher({ key: setup.queue, codec: bytes() })
    const onDelivery = ({ content, redelivered }: { content: Buffer; redelivered: boolean }): void =>
      setup.onMessage(content, redelivered)
    rabbit.consume(setup.queue, onDelivery, {
      codec: bytes(),
      prefetch: 100,
      arguments: setup.consumeArguments,
    })
    await rabbit.ready()
    return {
      async publish(content): Promise<PublishResult> {
        try {
          const { maybeDuplicate } = await publisher.publish(content)
          return { outcome: 'confirmed', maybeDuplicate }
        } catch (error) {
          if (!isHaError(error) || error.outcome === 'done') throw error
          return { outcome: error.outcome, error: `${error.code}: ${error.message}` }
        }
      },
      async close() {
        await rabbit.close()
      },
    }
  },
}
