import type { FieldTable } from '../wire/field-value.ts'

/** A way from an exchange to a queue or another exchange. */
export interface Binding {
  readonly source: string
  readonly destination: Destination
  readonly routingKey: string
  readonly arguments: FieldTable
}

/** Where a binding leads. */
export interface Destination {
  readonly kind: 'queue' | 'exchange'
  readonly name: string
}

/** The bindings of a vhost. A binding that is there already is not added again. */
export class Bindings {
  readonly #bySource = new Map<string, readonly Binding[]>()

  from(source: string): readonly Binding[] {
    return this.#bySource.get(source) ?? []
  }

  add(binding: Binding): void {
    const others = this.from(binding.source)
    if (!others.some((other) => isSame(other, binding)))
      this.#bySource.set(binding.source, [...others, binding])
  }

  /** Removes one binding; true when it was there. */
  remove(binding: Binding): boolean {
    const before = this.from(binding.source)
    const after = before.filter((other) => !isSame(other, binding))
    this.#bySource.set(binding.source, after)
    return after.length < before.length
  }

  removeFrom(source: string): void {
    this.#bySource.delete(source)
  }

  /** Removes all that lead to a destination; returns the exchanges that lost one. */
  removeTo({ kind, name }: Destination): readonly string[] {
    const losers: string[] = []
    for (const [source, bindings] of this.#bySource) {
      const kept = bindings.filter(
        ({ destination }) => destination.kind !== kind || destination.name !== name,
      )
      if (kept.length === bindings.length) continue
      this.#bySource.set(source, kept)
      losers.push(source)
    }
    return losers
  }
}

function isSame(a: Binding, b: Binding): boolean {
  return (
    a.destination.kind === b.destination.kind &&
    a.destination.name === b.destination.name &&
    a.routingKey === b.routingKey &&
    isSameTable(a.arguments, b.arguments)
  )
}

function isSameTable(a: FieldTable, b: FieldTable): boolean {
  return a.size === b.size && [...a].every(([name, field]) => b.get(name)?.value === field.value)
}
