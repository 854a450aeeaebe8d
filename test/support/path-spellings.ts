/** Ways to write a path that one reader or another takes for the same. */

const hex = (text: string) => [...text].map(letter => `%${letter.charCodeAt(0).toString(16).padStart(2, '0')}`).join('')

/** Of a path as `/v1/models`; the first is the path itself. */
export function spellingsOf(path: string): readonly string[] {
  const rest = path.slice(1)
  const [first = ''] = rest
  const tail = rest.slice(1)
  const last = path.lastIndexOf('/')
  const [folder, name] = [path.slice(0, last), path.slice(last + 1)]
  return [
    ...[path, `${path}?x=1`, `${path}?`, `${path}/`, `${path}//`, `/${path}`, `//${path}`, `/.${path}`, `/x/..${path}`],
    ...[
      `/x/%2e%2e${path}`,
      `/x/.%2e${path}`,
      `/%2e${path}`,
      `/health/..${path}`,
      `/health/..;${path}`,
      `/;${path}`,
      `/;x${path}`,
    ],
    ...[
      `${folder}//${name}`,
      `${folder}/./${name}`,
      `${folder}/x/../${name}`,
      `${folder}%2f${name}`,
      `${folder}%2F${name}`,
    ],
    ...[
      `${folder}\\${name}`,
      `${folder}%5c${name}`,
      `${folder}%252f${name}`,
      `${folder}%c0%af${name}`,
      `${folder};/${name}`,
    ],
    ...[
      `${folder}%ef%bc%8f${name}`,
      `${folder}/%00${name}`,
      `${folder}/%20${name}`,
      `${folder}/%09${name}`,
      `${folder}/ ${name}`,
    ],
    ...[
      `/%${first.charCodeAt(0).toString(16)}${tail}`,
      `/${hex(rest)}`,
      hex(path),
      `/%25${first.charCodeAt(0).toString(16)}${tail}`,
    ],
    ...[`/%u00${first.charCodeAt(0).toString(16)}${tail}`, `/${first.toUpperCase()}${tail}`, path.toUpperCase()],
    ...[
      `/${first}\u0130${tail}`,
      `${path};x`,
      `${path};x=1`,
      `${path};/../health`,
      `${path}%3b`,
      `${path}%3fx`,
      `${path}%23`,
    ],
    ...[
      `${path}%00`,
      `${path}%0a`,
      `${path}%0d%0a`,
      `${path}%20`,
      `${path}%zz`,
      `${path}%`,
      `${path}%2`,
      `${path}%ff`,
      `${path}.`,
    ],
    ...[
      `${path}/.`,
      `${path}/..`,
      `${path}/%2e`,
      `${path}/../health`,
      `${path}/..%2fhealth`,
      `${path}.json`,
      `${path}*`,
    ],
    ...[
      `${path}#x`,
      `${path}/#`,
      `${path}+`,
      `${path}~`,
      `${path}|`,
      `${path}"`,
      `${path}<x>`,
      `${path}^`,
      rest,
      `http://a${path}`,
    ],
    ...[
      `http://health${path}`,
      `/http://a${path}`,
      `//a${path}`,
      `/health?${path}`,
      `/health%3f/..${path}`,
      `/health#${path}`,
    ],
  ]
}
