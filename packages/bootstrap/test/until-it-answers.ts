import { setTimeout } from 'node:timers/promises'

const patienceMs = 15_000

/** Asks again and again until there is an answer; throws what the last question failed with after 15 seconds. */
export async function untilItAnswers(ask: () => Promise<unknown>): Promise<void> {
  const giveUpAt = Date.now() + patienceMs
  for (;;) {
    try {
      await ask()
      return
    } catch (error) {
      if (Date.now() > giveUpAt) throw error
      await setTimeout(50)
    }
  }
}
