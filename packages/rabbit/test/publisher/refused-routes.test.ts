import { describe, expect, it } from 'vitest'
import { RefusedRoutes } from '../../src/publisher/route-channels.ts'

const route = 'order.new'

describe('a route that is nacked', () => {
  it('is refused for good when it stays so for longer than an election', () => {
    const routes = new RefusedRoutes()
    expect([0, 3_000, 6_999, 7_000].map((atMs) => routes.onNack(route, atMs))).toEqual([
      false,
      false,
      false,
      true,
    ])
  })

  it('is as good as new when the broker has taken a message', () => {
    const routes = new RefusedRoutes()
    routes.onNack(route, 0)
    routes.onAck(route)
    expect(routes.onNack(route, 9_000)).toBe(false)
  })

  it('says nothing about another one', () => {
    const routes = new RefusedRoutes()
    routes.onNack(route, 0)
    expect(routes.onNack('order.old', 9_000)).toBe(false)
  })

  it('is forgotten, the oldest first, when there are a thousand others', () => {
    const routes = new RefusedRoutes()
    for (let i = 0; i <= 1_000; i++) routes.onNack(`${i}`, i)
    expect(routes.onNack('1', 9_000)).toBe(true)
    expect(routes.onNack('0', 9_000)).toBe(false)
  })
})
