import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** Where each ambient source of time, chance and scheduling is to be had instead. */
const ambientGlobals = {
  setTimeout: 'Ask the clock port (core/clock.ts): virtual time must be able to stand in.',
  setInterval: 'Ask the clock port (core/clock.ts): virtual time must be able to stand in.',
  setImmediate: 'Ask the scheduler port (core/scheduler.ts).',
  queueMicrotask: 'Ask the scheduler port (core/scheduler.ts).',
  performance: 'Ask the clock port (core/clock.ts) for monotonic time.',
  crypto: 'Ask the random port (core/random.ts): a seed must repeat the run.',
  fetch: 'Sockets are opened by an adapter at the edge.',
  WebSocket: 'Sockets are opened by an adapter at the edge.',
}

const ambientProperties = [
  ['Date', 'now', 'Ask the clock port (core/clock.ts).'],
  ['Math', 'random', 'Ask the random port (core/random.ts): a seed must repeat the run.'],
  ['process', 'nextTick', 'Ask the scheduler port (core/scheduler.ts).'],
  ['process', 'hrtime', 'Ask the clock port (core/clock.ts).'],
  ['AbortSignal', 'timeout', 'It starts a timer of its own: ask the clock port (core/clock.ts).'],
  ...Object.keys(ambientGlobals).map((name) => ['globalThis', name, `${name} is ambient: ask a port of core/.`]),
]

const ambientModules = [
  'timers',
  'timers/promises',
  'perf_hooks',
  'crypto',
  'fs',
  'fs/promises',
  'net',
  'tls',
  'dgram',
  'http',
  'https',
  'http2',
]

const ambientSyntax = [
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'new Date() reads the time: ask the clock port (core/clock.ts).',
  },
  {
    selector: "CallExpression[callee.name='Date']",
    message: 'Date() reads the time: ask the clock port (core/clock.ts).',
  },
]

/** Rules that keep the code from reading the time, rolling dice, scheduling or opening sockets and files by itself. */
const portsOnly = {
  'no-restricted-globals': ['error', ...Object.entries(ambientGlobals).map(([name, message]) => ({ name, message }))],
  'no-restricted-properties': [
    'error',
    ...ambientProperties.map(([object, property, message]) => ({ object, property, message })),
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: ambientModules.flatMap((name) =>
        [name, `node:${name}`].map((path) => ({
          name: path,
          message: 'Only core/ and the adapters at the edges touch the outside world.',
        })),
      ),
    },
  ],
  'no-restricted-syntax': ['error', ...ambientSyntax],
}

/** Tests may read files and start programs, but never wait for real time. */
const virtualTimeOnly = {
  'no-restricted-globals': [
    'error',
    ...['setTimeout', 'setInterval'].map((name) => ({
      name,
      message: 'A test never sleeps: advance a VirtualClock, or await what should happen.',
    })),
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: ['timers', 'timers/promises', 'node:timers', 'node:timers/promises'].map((name) => ({
        name,
        message: 'A test never sleeps.',
      })),
    },
  ],
  'no-restricted-properties': [
    'error',
    {
      object: 'Math',
      property: 'random',
      message: 'A failing test must repeat: take the randomness from fast-check or a seed.',
    },
    { object: 'globalThis', property: 'setTimeout', message: 'A test never sleeps.' },
  ],
}

export default defineConfig(
  { ignores: ['**/node_modules/', 'dist/', 'docs/', 'coverage/', 'reports/', 'test/**/fixtures/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: ['error', 'always'],
      'no-var': 'error',
      'prefer-const': ['error', { destructuring: 'all' }],
      // Taste, not faults:
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/restrict-plus-operands': ['error', { allowNumberAndString: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidOperator: true },
      ],
      '@typescript-eslint/consistent-type-definitions': 'off', // unions and mapped types read better as `type`
      '@typescript-eslint/no-invalid-void-type': 'off', // a handler returns the next state or nothing
      '@typescript-eslint/unified-signatures': 'off', // overloads carry their own doc comments
      '@typescript-eslint/no-unnecessary-type-parameters': 'off', // the parameter is often the inferred answer
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/unbound-method': 'off', // a handler's context is made to be destructured
      '@typescript-eslint/no-empty-object-type': 'off', // `{}` is the body of a message without fields
      '@typescript-eslint/no-meaningless-void-operator': 'off', // `void reply(x)` turns a call into no new state
      '@typescript-eslint/consistent-indexed-object-style': 'off',
      '@typescript-eslint/no-inferrable-types': 'off',
      '@typescript-eslint/non-nullable-type-assertion-style': 'off', // `!` is forbidden; a cast says why in a comment
      '@typescript-eslint/no-dynamic-delete': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off', // an actor may crash with any value, as in Erlang
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/class-literal-property-style': 'off', // error codes are readonly fields
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: { 'no-console': 'error' },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/core/**', 'src/cli/**'],
    rules: portsOnly,
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      ...virtualTimeOnly,
      '@typescript-eslint/no-non-null-assertion': 'off', // a wrong one fails the test, which is its purpose
      '@typescript-eslint/require-await': 'off', // async doubles of async ports
    },
  },
)
