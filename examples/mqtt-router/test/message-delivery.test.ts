import { describe, expect, it } from 'vitest'
import type { Message } from '../src/message.ts'
import type { Mailbox } from '../src/router/mailbox.ts'
import { MessageDelivery } from '../src/router/message-delivery.ts'

describe('message delivery', () => {
  it('delivers to a user who can be reached, past the mailbox', async () => {
    const { delivery, arrived, waiting } = deliverySetup()
    expect(await delivery.send('alice', message(1))).toBe('delivered')
    expect(arrived).toEqual(['1'])
    expect(waiting('alice')).toEqual([])
  })

  it('keeps what was not delivered', async () => {
    const { delivery, waiting } = deliverySetup({ reachable: false })
    expect(await delivery.send('alice', message(1))).toBe('in-mailbox')
    expect(waiting('alice')).toEqual(['1'])
  })

  it('brings what waits before what comes, in the order in which it was sent', async () => {
    const { delivery, arrived, waiting, reach } = deliverySetup({ reachable: false })
    await Promise.all([1, 2].map((number) => delivery.send('alice', message(number))))
    reach(true)
    await Promise.all([delivery.send('alice', message(3)), delivery.deliverWaiting()])
    expect(arrived).toEqual(['1', '2', '3'])
    expect(waiting('alice')).toEqual([])
  })

  it('lets nobody wait for the user who cannot be reached', async () => {
    const { delivery, arrived } = deliverySetup({ silent: 'bob' })
    void delivery.send('bob', message(1))
    expect(await delivery.send('alice', message(2))).toBe('delivered')
    expect(arrived).toEqual(['2'])
  })

  it('keeps a message whose delivery ended without a receipt, and brings it once more', async () => {
    const { delivery, arrived, waiting, reach } = deliverySetup()
    reach('without receipt')
    await delivery.send('alice', message(1))
    expect(waiting('alice')).toEqual(['1'])
    reach(true)
    await delivery.deliverWaiting()
    expect(arrived).toEqual(['1', '1'])
  })

  it('goes on with a user after his mailbox has failed', async () => {
    const { delivery, mailbox, reach, arrived } = deliverySetup({ reachable: false })
    mailbox.put = () => Promise.reject(new Error('the disk is full'))
    await expect(delivery.send('alice', message(1))).rejects.toThrow('the disk is full')
    reach(true)
    await delivery.send('alice', message(1))
    expect(arrived).toEqual(['1'])
  })
})

interface Conditions {
  readonly reachable?: boolean
  /** For whom a delivery never ends. */
  readonly silent?: string
}

function deliverySetup({ reachable = true, silent }: Conditions = {}) {
  let reach: boolean | 'without receipt' = reachable
  const boxes = new Map<string, Message[]>()
  const arrived: string[] = []
  const mailbox: Mailbox = {
    put: async (user, message) => void boxes.set(user, [...(boxes.get(user) ?? []), message]),
    take: async (user, id) =>
      void boxes.set(
        user,
        (boxes.get(user) ?? []).filter((each) => each.id !== id),
      ),
    list: async (user) => boxes.get(user) ?? [],
    users: async () => [...boxes.keys()],
  }
  const deliver = async (user: string, { id }: Message): Promise<boolean> => {
    if (user === silent) return new Promise(() => undefined)
    if (reach !== false) arrived.push(id)
    return reach === true
  }
  return {
    mailbox,
    arrived,
    delivery: new MessageDelivery({ mailbox, deliver }),
    waiting: (user: string) => (boxes.get(user) ?? []).map(({ id }) => id),
    reach: (next: typeof reach) => {
      reach = next
    },
  }
}

function message(number: number): Message {
  return { id: String(number), text: `message number ${number}` }
}
