import { expect, test } from 'vitest'
import { chosen, positive, readOptions } from '../../src/harness/args.ts'

test('options are read by their names', () => {
  expect(readOptions(['--faults', '3', '--fault=kill'], ['faults', 'fault'])).toEqual({
    faults: '3',
    fault: 'kill',
  })
})

test('an unknown option is answered with the nearest one', () => {
  expect(() => readOptions(['--fualt', 'kill'], ['faults', 'fault'])).toThrow(
    "unknown option --fualt; known options: --faults, --fault; did you mean 'fault'?",
  )
})

test.each([
  [undefined, ['kill']],
  ['stop', ['stop']],
  ['all', ['kill', 'stop']],
])('%s chooses %s', (given, expected) => {
  expect(chosen(given, ['kill', 'stop'], ['kill'])).toEqual(expected)
})

test('a word that is not there is answered with those that are', () => {
  expect(() => chosen('kil', ['kill', 'stop'], [])).toThrow(/expected kill, stop or all, got 'kil'.*'kill'/)
})

test.each(['0', '-1', '1.5', 'many'])('%s is no number of faults', (given) => {
  expect(() => positive(given, 1, 'faults')).toThrow('--faults: expected a whole number of at least 1')
})
