/** A page: its title, the way to it, and its content. */
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { usePageQuery, type Changes } from "./location.ts";
import { RangeControl } from "./range.tsx";
import { useDrillLink } from "./use-link.ts";
import { visibleText } from "../text/visible.ts";

export type Crumb = { readonly label: string; readonly path: string; readonly query?: Changes };

type PageProps = {
  readonly title: string;
  readonly crumbs?: readonly Crumb[];
  /** The page's content, in one sentence. */
  readonly about?: ComponentChildren;
  readonly hasRange?: boolean;
  readonly children: ComponentChildren;
};

/** The page whose heading got the focus last: a changed filter leaves the focus where it is. */
let announced: string | null = null;

export function Page({ title, crumbs = [], about, hasRange = false, children }: PageProps): VNode {
  const heading = useRef<HTMLHeadingElement>(null);
  const { path } = usePageQuery();
  const link = useDrillLink();
  const shown = visibleText(title);
  useEffect(() => {
    document.title = `${shown.slice(0, 80)} · AI Edge Interceptor`;
  }, [shown]);
  useEffect(() => {
    // The first page is announced by the browser itself.
    if (announced !== null && announced !== path) heading.current?.focus();
    announced = path;
  }, [path]);
  return (
    <>
      <div class="page-head">
        <div>
          {crumbs.length > 0 && (
            <nav aria-label="Breadcrumb" class="crumbs">
              <ol>
                {crumbs.map((crumb) => (
                  <li key={crumb.path}>
                    <a href={link(crumb.path, crumb.query)}>{crumb.label}</a>
                  </li>
                ))}
                <li aria-current="page">{shown.slice(0, 60)}</li>
              </ol>
            </nav>
          )}
          <h1 ref={heading} tabIndex={-1}>
            {shown.slice(0, 120)}
          </h1>
          {about !== undefined && <p class="about">{about}</p>}
        </div>
        {hasRange && <RangeControl />}
      </div>
      {children}
    </>
  );
}
