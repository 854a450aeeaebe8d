/** What pairs of questions are made of by templates. */

export interface Negative {
  /** Numbers, negations, names, near topics, order, quotations. */
  readonly kind: string
  readonly one: string
  readonly other: string
}

export const list = (text: string): readonly string[] => text.split(',').map(each => each.trim())

/** Every template with each two values that stand `steps` apart. `X` is the place. */
export function vary(
  kind: string,
  templates: readonly string[],
  values: readonly string[],
  steps: readonly number[],
): Negative[] {
  return templates.flatMap(template =>
    steps.flatMap(step =>
      values.map((value, index) => {
        const other = values[(index + step) % values.length] ?? value
        return { kind, one: template.replaceAll('X', value), other: template.replaceAll('X', other) }
      }),
    ),
  )
}

/** Every template's two forms for each value. */
export function turn(
  kind: string,
  forms: readonly (readonly [string, string])[],
  values: readonly string[],
): Negative[] {
  return forms.flatMap(([one, other]) =>
    values.map(value => ({ kind, one: one.replaceAll('X', value), other: other.replaceAll('X', value) })),
  )
}
