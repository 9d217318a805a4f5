import { describe, expect, it } from 'vitest'
import { checkPublishOptions, type PublishOptions } from '../../src/publisher/publisher.ts'

describe('the options of a publish', () => {
  it.each<[unknown, string]>([
    [{ routingKey: 'a' }, "publish.routingKey: there is no such option; it is called 'key' here"],
    [{ expiration: 5 }, "publish.expiration: there is no such option; it is called 'expirationMs' here"],
    [{ mandatroy: true }, "publish.mandatroy: there is no such option; did you mean 'mandatory'?"],
    [{ priority: '5' }, 'publish.priority: expected a whole number from 0 to 255'],
    [{ headers: null }, 'publish.headers: expected an object, got null'],
    [{ timeoutMs: Number.NaN }, 'publish.timeoutMs: expected milliseconds above 0'],
    [{ timeoutMs: 0 }, 'publish.timeoutMs: expected milliseconds above 0'],
    [{ signal: {} }, 'publish.signal: expected an AbortSignal'],
  ])('%j is refused', (options, says) => {
    expect(() => checkPublishOptions(options as PublishOptions)).toThrow(
      expect.objectContaining({ code: 'config-invalid', outcome: 'not-done', message: says }),
    )
  })

  it('may be given as undefined', () => {
    expect(() =>
      checkPublishOptions({ key: undefined, signal: undefined } as unknown as PublishOptions),
    ).not.toThrow()
  })
})
