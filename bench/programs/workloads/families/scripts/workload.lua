-- Makes and drops tables, strings, closures and coroutines; prints what can be checked.
local depth = assert(tonumber(arg[1]))

-- A generator of its own: the same numbers in every version of Lua.
local state = 42
local function random(limit)
    state = (state * 48271) % 2147483647
    return state % limit
end

local function tree(levels)
    if levels == 0 then
        return {}
    end
    return { tree(levels - 1), tree(levels - 1) }
end

local function nodes(node)
    if not node[1] then
        return 1
    end
    return 1 + nodes(node[1]) + nodes(node[2])
end

local kept = tree(depth)
for _ = 1, 20 do
    nodes(tree(depth - 2))
end
print("nodes " .. nodes(kept))

local strings, total = {}, 0
for i = 1, 200000 do
    local key = "key" .. random(5000)
    strings[key] = string.sub((strings[key] or "") .. string.rep("x", random(20)) .. i, -80)
end
for _, text in pairs(strings) do
    total = total + #text
end
print("strings " .. total)

local function solutions(size)
    local columns, found = {}, 0
    local function place(row)
        if row > size then
            coroutine.yield(table.concat(columns, ","))
            return
        end
        for column = 1, size do
            local free = true
            for other = 1, row - 1 do
                local distance = columns[other] - column
                if distance == 0 or math.abs(distance) == row - other then
                    free = false
                    break
                end
            end
            if free then
                columns[row] = column
                place(row + 1)
            end
        end
    end
    for _ in coroutine.wrap(function() place(1) end) do
        found = found + 1
    end
    return found
end
print("queens 8 " .. solutions(8))

local list = {}
for i = 1, 100000 do
    list[i] = { key = random(1000000), text = tostring(i) }
end
table.sort(list, function(a, b) return a.key < b.key end)
local ordered, text = true, {}
for i = 2, #list do
    ordered = ordered and list[i - 1].key <= list[i].key
    text[#text + 1] = list[i].key
end
print("sorted " .. tostring(ordered))
print("checksum " .. #table.concat(text, " "))
