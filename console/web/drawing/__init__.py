"""Pictures as SVG: plain attributes and classes, since the policy allows no styles of their own."""
