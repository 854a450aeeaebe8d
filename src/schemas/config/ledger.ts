import { Type } from '../typebox.ts'
import { ByteSizeSchema } from './units.ts'

export const LedgerSchema = Type.Object(
  {
    // Files that are stored stay until they are full, at 8 MiB: less room than two of them would be none.
    high: ByteSizeSchema({
      description: 'What may wait on the disk for the database before the tiers of the lowest priority are refused.',
      default: '1GiB',
      'x-weir-least': '16MiB',
      'x-weir-most': '1024GiB',
    }),
    full: ByteSizeSchema({
      description: 'The same before all requests are refused.',
      default: '2GiB',
      'x-weir-least': '16MiB',
      'x-weir-most': '1024GiB',
    }),
    highFree: ByteSizeSchema({
      description: 'With less free space on the disk the tiers of the lowest priority are refused.',
      default: '512MiB',
      'x-weir-most': '1024GiB',
    }),
    fullFree: ByteSizeSchema({
      description: 'With less free space all requests are refused.',
      default: '128MiB',
      'x-weir-most': '1024GiB',
    }),
    keepMonths: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1200,
        description: 'Months of single events beside the one that runs; sums stay. All of them when absent.',
        examples: [24],
      }),
    ),
    unknown: Type.Unsafe<'free' | 'reserved'>(
      Type.String({
        enum: ['free', 'reserved'],
        default: 'free',
        description:
          'What a request costs of which a killed process left no more than its beginning: nothing, or all that was held.',
      }),
    ),
  },
  { additionalProperties: false, default: {}, description: 'How usage is kept until the database has it.' },
)
