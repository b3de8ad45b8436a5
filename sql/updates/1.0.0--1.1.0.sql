{{ new("tables/kept_right") }}
