import { expect, test } from 'vitest'
import { dataFolder } from '../../src/machine/lab-folder.ts'

const longName = `/${'deep/'.repeat(20)}labs`

test('data of an ordinary user’s lab are in the lab’s folder, as long as a socket path fits there', () => {
  expect(dataFolder('/home/alice/labs/shop', 1000)).toBe('/home/alice/labs/shop/data')
  expect(dataFolder(longName, 1000)).toMatch(/^\/tmp\/hactl-1000\/[0-9a-f]{16}$/)
})

test('data of root’s labs are where another user may pass, one folder for each lab', () => {
  expect(dataFolder('/srv/labs/shop', 0)).toMatch(/^\/var\/lib\/hactl\/[0-9a-f]{16}$/)
  expect(dataFolder('/srv/labs/shop', 0)).not.toBe(dataFolder('/srv/labs/other', 0))
  expect(dataFolder('/srv/labs/shop', 0)).toBe(dataFolder('/srv/labs/shop', 0))
})

test.each(['/home/alice/labs/shop', longName, '/srv/labs/shop'])(
  'the socket of a node with the longest name fits beside the data of %s',
  (folder) => {
    for (const uid of [0, 1000]) {
      expect(Buffer.byteLength(`${dataFolder(folder, uid)}/${'n'.repeat(31)}.sock`)).toBeLessThanOrEqual(107)
    }
  },
)
