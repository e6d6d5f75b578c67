/** Paths as a tree, and a tree as the rows that are shown of it. */

export interface Branch<T> {
  kind: "branch";
  /** One name, or several where there is nothing else on the way. */
  name: string;
  path: string;
  children: Node<T>[];
  /** All leaves below. */
  leaves: T[];
}

export interface Leaf<T> {
  kind: "leaf";
  name: string;
  path: string;
  value: T;
}

export type Node<T> = Branch<T> | Leaf<T>;

export interface Row<T> {
  node: Node<T>;
  depth: number;
  /** Counted from 1, among its siblings. */
  position: number;
  size: number;
}

export function tree<T extends { path: string }>(values: T[]): Node<T>[] {
  const root: Branch<T> = { kind: "branch", name: "", path: "", children: [], leaves: [] };
  const branches = new Map<string, Branch<T>>([["", root]]);
  for (const value of values) {
    const names = value.path.split("/");
    const name = names.pop() ?? value.path;
    let branch = root;
    branch.leaves.push(value);
    for (const step of names) {
      const path = branch.path ? `${branch.path}/${step}` : step;
      let next = branches.get(path);
      if (!next) {
        next = { kind: "branch", name: step, path, children: [], leaves: [] };
        branches.set(path, next);
        branch.children.push(next);
      }
      next.leaves.push(value);
      branch = next;
    }
    branch.children.push({ kind: "leaf", name, path: value.path, value });
  }
  return sorted(root.children.map(joined));
}

/** Folders with one folder in them and nothing else are one row. */
function joined<T>(node: Node<T>): Node<T> {
  if (node.kind === "leaf") return node;
  const [only] = node.children;
  if (node.children.length === 1 && only?.kind === "branch") return joined({ ...only, name: `${node.name}/${only.name}` });
  return { ...node, children: sorted(node.children.map(joined)) };
}

function sorted<T>(nodes: Node<T>[]): Node<T>[] {
  const order = (node: Node<T>) => (node.kind === "branch" ? 0 : 1);
  return nodes.sort((one, other) => order(one) - order(other) || (one.name < other.name ? -1 : 1));
}

export function rows<T>(nodes: Node<T>[], isClosed: (path: string) => boolean, depth = 0): Row<T>[] {
  return nodes.flatMap((node, index) => {
    const row: Row<T> = { node, depth, position: index + 1, size: nodes.length };
    if (node.kind === "leaf" || isClosed(node.path)) return [row];
    return [row, ...rows(node.children, isClosed, depth + 1)];
  });
}
