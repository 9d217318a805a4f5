import { describe, expect, it } from 'vitest'
import { Discovery } from '../../src/discovery/discovery.ts'
import type { InstanceSpec } from '../../src/discovery/instance.ts'
import type { RegisterOptions } from '../../src/discovery/registration.ts'
import type { ServiceOptions } from '../../src/discovery/service-view.ts'
import { FakeContext } from './fake-context.ts'

const spec: InstanceSpec = { name: 'mqtt', address: '10.0.0.1' }
const check = (): boolean => true
const late = { check, intervalMs: 100, timeoutMs: 200 }

describe('what is asked of discovery', () => {
  it.each<[string, unknown]>([
    ['discovery.basePath: expected the path', { basePath: 7 }],
    ['discovery.basePath "services": expected a leading slash', { basePath: 'services' }],
    ['discovery.basePath "/a/../b": the name ..', { basePath: '/a/../b' }],
    ['discovery.codec: expected', { codec: {} }],
    ['discovery.base: there is no such option', { base: '/a' }],
  ])('is refused as %s', (problem, options) => {
    expect(() => new Discovery(new FakeContext(), options as object)).toThrow(problem)
  })

  it.each<[string, object, RegisterOptions?]>([
    ['instance.name: expected the name', { address: 'x' }],
    ['instance.name: expected the name', { ...spec, name: 'a/b' }],
    ['instance.id "/..": the name ..', { ...spec, id: '..' }],
    ['instance.address: expected', { name: 'mqtt' }],
    ['instance.port: expected a whole number', { ...spec, port: 0 }],
    ['instance.metadata: expected an object whose values are texts', { ...spec, metadata: { weight: 1 } }],
    ['instance.payload: expected an object', { ...spec, payload: 'a text' }],
    ['instance.payload.metadata: not allowed in the payload', { ...spec, payload: { metadata: {} } }],
    ['health.check: expected a function', spec, { health: {} } as RegisterOptions],
    ['health.timeoutMs: expected at most intervalMs', spec, { health: late }],
    [
      'onUnhealthy: expected one of remove, flag',
      spec,
      { onUnhealthy: 'keep' } as unknown as RegisterOptions,
    ],
  ])('is refused as %s', (problem, given, options) => {
    const discovery = new Discovery(new FakeContext())
    expect(() => discovery.register(given as InstanceSpec, options)).toThrow(problem)
    expect(discovery.health().registrations).toEqual([])
  })

  it.each<[string, string, ServiceOptions?]>([
    ['service: expected the name', 'a/b'],
    ["service 'mqtt'.strategy: expected one of", 'mqtt', { strategy: 'any' } as unknown as ServiceOptions],
    ["service 'mqtt'.zone: expected { name }", 'mqtt', { strategy: 'zone' }],
    [
      "service 'mqtt'.panicThreshold.share: expected a number from 0 to 1",
      'mqtt',
      { panicThreshold: { share: 50 } },
    ],
    ["service 'mqtt'.panicThreshold.share: expected a number from 0 to 1", 'mqtt', { guard: { share: 50 } }],
    ["service 'mqtt'.outlierDetection.errors: expected", 'mqtt', { shun: { errors: 0 } }],
    ["service 'mqtt'.shun: there is no such option", 'mqtt', { shun: {}, outlierDetection: {} }],
  ])('is refused as %s', (problem, name, options) => {
    expect(() => new Discovery(new FakeContext()).service(name, options)).toThrow(problem)
  })

  it.each<[string, (discovery: Discovery) => Promise<unknown>]>([
    ['ready.timeoutMs', (discovery) => discovery.service('mqtt').ready({ timeoutMs: Number.NaN })],
    ['ready.timeoutms', (discovery) => discovery.service('mqtt').ready({ timeoutms: 5 } as object)],
    ['ready.timeoutMs', (discovery) => discovery.register(spec).ready({ timeoutMs: 0 })],
    ['ready.timeOutMs', (discovery) => discovery.register(spec).ready({ timeOutMs: 5 } as object)],
    ['update.timeoutMs', (discovery) => discovery.register(spec).update({}, { timeoutMs: 0 })],
  ])('is refused as %s', async (problem, ask) => {
    await expect(ask(new Discovery(new FakeContext()))).rejects.toMatchObject({
      name: 'ZookeeperError',
      code: 'config-invalid',
      message: expect.stringContaining(problem),
    })
  })

  it.each<[string, (discovery: Discovery) => unknown]>([
    ['an option', (discovery) => discovery.service('mqtt', { coalesceMs: -1 })],
    ['a name', (discovery) => discovery.service('a/b')],
    ['an instance', (discovery) => discovery.register({ ...spec, port: 0 })],
    ['the options of a health gate', (discovery) => discovery.register(spec, { health: late })],
  ])('is refused with a ZookeeperError: %s', (_what, ask) => {
    const refusal = expect.objectContaining({ name: 'ZookeeperError', code: 'config-invalid' })
    expect(() => ask(new Discovery(new FakeContext()))).toThrow(refusal)
  })

  it('is at the base path that is given', () => {
    const context = new FakeContext()
    const discovery = new Discovery(context, { basePath: '/live/nodes' })
    discovery.service('mqtt')
    expect(discovery.register({ ...spec, id: 'a' }).path).toBe('/live/nodes/mqtt/a')
    expect(context.caches[0]?.path).toBe('/live/nodes/mqtt')
  })

  it('may be at the root', () => {
    const discovery = new Discovery(new FakeContext(), { basePath: '/' })
    expect(discovery.register({ ...spec, id: 'a' }).path).toBe('/mqtt/a')
  })

  it('gives an instance an id of its own', () => {
    const discovery = new Discovery(new FakeContext())
    const [one, other] = [discovery.register(spec), discovery.register(spec)]
    expect(one.instance.id).not.toBe(other.instance.id)
  })
})

describe('the health of discovery', () => {
  it('tells of all that is registered and followed, and no more once it is closed', async () => {
    const context = new FakeContext()
    const discovery = new Discovery(context)
    discovery.register({ ...spec, id: 'a' })
    discovery.service('mqtt')
    await context.clock.advance(0)
    expect(discovery.health()).toEqual({
      registrations: [{ path: '/services/mqtt/a', state: 'registered', reason: undefined }],
      services: [{ name: 'mqtt', state: 'unread', instances: 0, undecodable: 0 }],
    })
    await discovery.close()
    expect(discovery.health()).toEqual({ registrations: [], services: [] })
  })
})
