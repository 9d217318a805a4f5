import { ActiveTime } from '../runtime/attention.ts'
import type { Host } from './host.ts'
import { fellQuiet, type Loan } from './loans.ts'
import type { PoolOptions } from './pool-options.ts'
import type { PoolTelling } from './pool-telling.ts'

export interface Attended<C> {
  readonly options: PoolOptions<C, unknown>
  readonly telling: PoolTelling
  readonly hosts: () => Iterable<Host<C>>
  /** Called when nothing has been heard on a borrowed connection for `slowQueryMs`. */
  readonly onQuiet: (host: Host<C>) => void
}

// Five looks in the time after which a query is slow: what is quiet is seen within it, and not a fifth later.
const looksPerSlowQuery = 5

/** Looks at all borrowed connections with one timer, and with none while nothing is borrowed. */
export class Attendance<C> {
  readonly #attended: Attended<C>
  #looking = false

  constructor(attended: Attended<C>) {
    this.#attended = attended
  }

  /** Begins to look, until the signal fires or nothing is borrowed any more. */
  begin(signal: AbortSignal): void {
    if (this.#looking || signal.aborted) return
    this.#looking = true
    // It rejects when the signal fires, or by a defect, and then the next lease begins it anew.
    this.#look(signal).catch(() => {
      this.#looking = false
    })
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, monitor } = this.#attended.options
    const lookMs = monitor.slowQueryMs / looksPerSlowQuery
    const attention = new ActiveTime(clock, lookMs)
    for (let lent = true; lent; ) {
      await clock.sleep(lookMs, signal)
      const attentiveMs = attention.tick()
      lent = false
      for (const host of this.#attended.hosts()) {
        for (const loan of host.loans()) {
          lent = true
          this.#attend(host, loan, attentiveMs)
        }
      }
    }
    this.#looking = false
  }

  #attend(host: Host<C>, loan: Loan<C>, attentiveMs: number): void {
    const { options, onQuiet, telling } = this.#attended
    const { driver, monitor, clock, leakAfterMs } = options
    const quietMs = monitor.slowQueryMs * (1 - 1 / looksPerSlowQuery)
    if (fellQuiet(loan, driver.received(loan.held.connection), attentiveMs, quietMs)) onQuiet(host)
    const heldMs = clock.now() - loan.sinceMs
    if (loan.leakTold || heldMs < leakAfterMs) return
    loan.leakTold = true
    telling.leak({ endpoint: host.name, heldMs: Math.round(heldMs), stack: loan.stack ?? '' })
  }
}
