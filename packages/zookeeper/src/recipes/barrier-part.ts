import { linkedController } from '@ha/core/driver'
import type { Ground } from '../ground.ts'
import { enterStep, type LeaveStep, leaveStep, type Opening } from './barrier-step.ts'
import { enter } from './enter.ts'
import { Gathering } from './gathering.ts'
import { leaseOver } from './lease-over.ts'
import type { Place } from './place.ts'

/** Comes, and waits until `size` have come. Whoever gives up goes again. */
export async function comeTogether(
  ground: Ground,
  folder: string,
  size: number,
  signal: AbortSignal,
): Promise<Part> {
  const gathering = new Gathering(ground, folder)
  for (;;) {
    const place = await enter(ground, { folder, kind: 'part', data: '' }, signal)
    const opening = await opened(gathering, place, size, signal)
    if (opening !== undefined) return new Part(gathering, place, opening)
    await place.release()
  }
}

// Undefined when our part has gone. Whoever gives up goes again, and does not wait for that.
async function opened(
  gathering: Gathering,
  place: Place,
  size: number,
  signal: AbortSignal,
): Promise<Opening | undefined> {
  const either = linkedController(signal, place.signal)
  try {
    return await whenOpen(gathering, place, size, either.signal)
  } catch (thrown) {
    if (!signal.aborted && place.signal.aborted) return undefined
    void gathering.abandon(place)
    throw thrown
  } finally {
    either.unlink()
  }
}

async function whenOpen(
  gathering: Gathering,
  place: Place,
  size: number,
  signal: AbortSignal,
): Promise<Opening | undefined> {
  for (;;) {
    const step = enterStep(await gathering.look(signal), place.name, size)
    switch (step.kind) {
      case 'in':
        return step.opening
      case 'gone':
        return undefined
      case 'open':
        await gathering.open(place, signal)
        break
      case 'wait':
        await gathering.opened(signal)
    }
  }
}

/** What one participant has in a barrier: from when all have come, to its going. */
export class Part {
  readonly #gathering: Gathering
  readonly #place: Place
  readonly #opening: Opening

  constructor(gathering: Gathering, place: Place, opening: Opening) {
    this.#gathering = gathering
    this.#place = place
    this.#opening = opening
  }

  /** Goes, and waits for the others. */
  async leave(signal: AbortSignal): Promise<void> {
    const place = this.#place
    if (place.signal.aborted) throw leaseOver(place.path, place.signal.reason)
    const { names } = await this.#gathering.look(signal)
    const others = names.filter((name) => name !== place.name)
    const round = { own: place.name, others, opening: this.#opening }
    for (;;) {
      const step = leaveStep(round, await this.#gathering.look(signal))
      if (step.kind === 'left') return
      await this.#take(step, signal)
    }
  }

  async #take(step: Exclude<LeaveStep, { readonly kind: 'left' }>, signal: AbortSignal): Promise<void> {
    const place = this.#place
    switch (step.kind) {
      case 'go':
        void place.release()
        return this.#gathering.gone(place.name, signal)
      case 'close':
        if (place.signal.aborted) throw leaseOver(place.path, place.signal.reason)
        return this.#gathering.close(place, signal)
      case 'wait':
        return this.#gathering.gone(step.name, signal)
    }
  }

  /** Goes without waiting for anybody. */
  abandon(): void {
    void this.#gathering.abandon(this.#place)
  }
}
