# Bodies of every size go both ways unchanged, in every way that HTTP/1.1 and httpd have to send them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time);
use SL::Bodies qw(pattern digest digest_of scripts cgi_modules cgi_conf);
use SL::Certs;
use SL::Client;
use SL::Command qw(run scratch_dir slurp spew slow wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;
use SL::Relay;

my $cert  = SL::Certs->new->server('one.test', type => 'ecdsa');
my $big   = $ENV{SL_FULL} ? 1 << 30 : 12 << 20;
# Around the limits of records, pages, httpd's buffers and what it maps at once (4 MB).
my @sizes = (0, 1, 2, 100, 4095, 4096, 8000, 8191, 8192, 16383, 16384, 16385, 32768, 65535, 65536, 65537, 1000003,
    (4 << 20) - 1, (4 << 20) + 1);
my @files = (['mmap', 'On', 'Off'], ['read', 'Off', 'Off'], ['sendfile', 'Off', 'On'], ['both', 'On', 'On']);

sub start {
    my ($mpm) = @_;
    my $httpd = SL::Httpd->new(mpm => $mpm, modules => [cgi_modules($mpm), qw(dav dav_fs dav_lock headers)]);
    my $aliases = join '', map { my ($name, $mmap, $sendfile) = @$_; <<"CONF" } @files;
Alias /$name "\${docs}/files"
<Location /$name>
    EnableMMAP $mmap
    EnableSendfile $sendfile
</Location>
CONF
    $httpd->config(<<"CONF" . cgi_conf($mpm) . $aliases . tls_host('one.test', $cert, 'KeepAliveTimeout 20'));
Listen 127.0.0.1:\${port_https}
MaxKeepAliveRequests 0
DavLockDB "\${work}/locks"
Alias /dav "\${work}/dav"
SetEnvIf Request_URI /cgi-bin/ ap_trust_cgilike_cl=1
<Location /dav>
    Dav On
</Location>
CONF
    $httpd->file('docs/one.test/index.html', "this is one.test\n");
    $httpd->file("docs/files/$_", pattern($_)) for @sizes;
    scripts($httpd);
    mkdir $httpd->root . '/work/dav';
    chmod 01777, $httpd->root . '/work/dav';
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    return ($httpd, SL::Client->new(port => $httpd->port('https')));
}

# Several URLs in one run of curl, so on one connection; returns what each gave.
sub fetch {
    my ($client, $args, @urls) = @_;
    my $dir = scratch_dir('bodies');
    my $port = $client->{port};
    my $n = 0;
    my $r = run(['curl', '-sS', '--http1.1', '--noproxy', '*', '--max-time', 60 * slow(), '--cacert', $client->cacert({}),
            '--resolve', "one.test:$port:127.0.0.1", '-w', '%{http_code} %{num_connects}\n', @$args,
            map { ('-o', "$dir/" . $n++, "https://one.test:$port$_") } @urls], timeout => 60);
    my @said = split /\n/, $r->{out};
    return { %$r, codes => [map { (split)[0] } @said], connects => eval { my $c = 0; $c += (split)[1] for @said; $c },
        digests => [map { digest_of(slurp("$dir/$_")) } 0 .. $#urls] };
}

sub downloads {
    my ($client, @which) = @_;
    my @expected = map { digest($_) } @sizes;
    for my $files (@which) {
        for my $tls ('--tls-max 1.2', '--tlsv1.3') {
            my $r = fetch($client, [split ' ', $tls], map {"/$files->[0]/$_"} @sizes);
            is_deeply($r->{digests}, \@expected, "files of all sizes come whole: MMAP $files->[1], Sendfile $files->[2], $tls")
                or diag $r->{err};
            is($r->{connects}, 1, '... on one connection');
        }
    }
    my $r = fetch($client, [], map {"/cgi-bin/bytes.pl?$_"} @sizes);
    is_deeply($r->{digests}, \@expected, 'so does what a CGI program writes, without a length') or diag $r->{err};
}

# A big body through a program each way, bounded in time.
sub big_bodies {
    my ($httpd, $client) = @_;
    my $limit = (10 + $big / (20 << 20)) * slow();
    my $expected = digest($big);
    my $file = $httpd->root . '/work/big';
    run([$^X, "-I$FindBin::Bin/../lib", '-MSL::Bodies=pattern', '-e',
            'my ($n, $file) = @ARGV; open my $out, ">:raw", $file or die; my $piece = pattern(65537 * 64);'
            . 'while ($n > 0) { print {$out} $n < length $piece ? substr $piece, 0, $n : $piece; $n -= length $piece }',
            $big, $file], timeout => 120);
    is(-s $file, $big, "a body of $big bytes is there");
    my $curl = sub {
        my ($url, @args) = @_;
        my $began = time;
        my $port = $client->{port};
        my $r = run(['sh', '-c', '"$@" | sha256sum', 'sh', 'curl', '-sS', '--http1.1', '--noproxy', '*', '--cacert',
                $client->cacert({}), '--resolve', "one.test:$port:127.0.0.1", @args, "https://one.test:$port$url"],
            timeout => $limit + 30);
        return ($r, time - $began);
    };
    my ($down, $down_time) = $curl->("/cgi-bin/bytes.pl?$big");
    like($expected, qr/\b\Q@{[ substr $down->{out}, 0, 64 ]}\E$/, '... comes whole from a program') or diag $down->{err};
    cmp_ok($down_time, '<', $limit, '... in time');
    my $upload = run(['curl', '-sS', '--http1.1', '--noproxy', '*', '--cacert', $client->cacert({}), '--resolve',
            "one.test:$client->{port}:127.0.0.1", '-T', $file, "https://one.test:$client->{port}/cgi-bin/digest.pl"],
        timeout => $limit + 30);
    is($upload->{out}, $expected, '... and arrives whole at a program') or diag $upload->{err};
    cmp_ok($upload->{seconds}, '<', $limit, '... in time');
    my $put = $client->curl('https://one.test/dav/big', args => ['-T', $file, '--max-time', int $limit]);
    is($put->{code}, 201, 'PUT stores it');
    my ($got) = $curl->('/dav/big');
    like($expected, qr/\b\Q@{[ substr $got->{out}, 0, 64 ]}\E$/, '... and it is fetched whole') or diag $got->{err};
    unlink $file, $httpd->root . '/work/dav/big';
    return;
}

sub uploads {
    my ($httpd, $client) = @_;
    my $dir = scratch_dir('bodies');
    for my $size (@sizes) {
        spew("$dir/body", pattern($size));
        my $r = $client->curl('https://one.test/cgi-bin/digest.pl', args => ['--data-binary', "\@$dir/body"]);
        is($r->{body}, digest($size), "POST of $size bytes arrives");
        next unless $size;
        $r = $client->curl('https://one.test/cgi-bin/digest.pl', args => ['-T', "$dir/body", '-H', 'Transfer-Encoding: chunked']);
        is($r->{body}, digest($size), '... in chunks too');
    }
    my $r = $client->curl('https://one.test/dav/file', args => ['-T', "$dir/body"]);
    is($r->{code}, 201, 'PUT of a file');
    is(digest_of(slurp($httpd->root . '/work/dav/file')), digest($sizes[-1]), '... stores what was sent');
    return;
}

sub expect_continue {
    my ($client) = @_;
    my $stream = $client->tls('one.test');
    for my $round (1 .. 2) {
        $stream->send("POST /cgi-bin/digest.pl HTTP/1.1\r\nHost: one.test\r\nContent-Length: 20000\r\nExpect: 100-continue\r\n\r\n");
        is($stream->read_until(qr/\r\n\r\n/), "HTTP/1.1 100 Continue\r\n\r\n", 'with Expect the server says when it wants the body');
        $stream->send(pattern(20000));
        is($stream->response->{body}, digest(20000), '... and takes it');
    }
    $stream->send("POST /none HTTP/1.1\r\nHost: one.test\r\nContent-Length: 20000\r\nExpect: 100-continue\r\n\r\n");
    ok($stream->read_until(qr/^HTTP\/1.1 100 Continue\r\n\r\n/), '... even where it is of no use');
    $stream->send(pattern(20000));
    is($stream->response->{code}, 404, '... and answers then');
    return;
}

# The client's bytes come one by one: one byte a record, and one byte a packet.
sub slow_writers {
    my ($client, $port) = @_;
    my $body    = pattern(600);
    my $request = "POST /cgi-bin/digest.pl HTTP/1.1\r\nHost: one.test\r\nContent-Length: 600\r\n\r\n$body";
    my $stream  = $client->tls('one.test');
    $stream->send_in_pieces($request, 1);
    is($stream->response->{body}, digest(600), 'a request sent byte by byte');
    $stream->send_in_pieces("$request\r\n\r\n", 3);
    is($stream->response->{body}, digest(600), '... by three bytes on the same connection, blank lines behind it');
    $stream->send("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n");
    is($stream->response->{body}, "this is one.test\n", '... and another one behind the blank lines');
    my $relay = SL::Relay->new(to => $port, up_piece => 1, down_piece => 1, down_first => 3000);
    my $far = SL::Client->new(port => $relay->port);
    my $r = fetch($far, ['--data-binary', pattern(500) =~ s/[\0\@]/./gr], '/cgi-bin/digest.pl');
    is($r->{digests}[0], digest_of(digest_of(pattern(500) =~ s/[\0\@]/./gr)), 'a request whose packets hold one byte each');
    $relay->stop;
    return;
}

# The client stops reading: only its own request waits, and the body is whole when it goes on.
sub slow_reader {
    my ($httpd, $client, $port) = @_;
    my $size  = 24 << 20;
    my $relay = SL::Relay->new(to => $port);
    my $slow  = SL::Client->new(port => $relay->port)->tls('one.test', timeout => 60);
    $slow->send("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n");
    is($slow->response->{code}, 200, 'a client');
    $relay->hold;
    $slow->send("GET /cgi-bin/bytes.pl?$size,length=$size HTTP/1.1\r\nHost: one.test\r\n\r\n");
    my $r = fetch($client, [], map {"/mmap/$_"} 100, 1000003);
    is($r->{digests}[1], digest(1000003), '... stops reading: others are served');
    unlike($httpd->access_log, qr/bytes\.pl\?$size/, '... while its request waits');
    $relay->release;
    is(digest_of($slow->response(60)->{body}), digest($size), '... and gets the whole body when it reads on');
    $relay->stop;
    return;
}

sub pipelined {
    my ($client) = @_;
    my $stream = $client->tls('one.test', timeout => 30);
    my @wanted = map { my $round = $_; map {"/mmap/$_"} @sizes[$round % 7, 9, 4] } 1 .. 20;
    $stream->send(join '', map {"GET $_ HTTP/1.1\r\nHost: one.test\r\n\r\n\r\n"} @wanted);
    my $right = grep { my ($size) = /(\d+)$/; my $r = $stream->response; $r && digest_of($r->{body}) eq digest($size) } @wanted;
    is($right, scalar @wanted, 'pipelined requests are answered in order');
    $stream->send(join '', map {"POST /cgi-bin/digest.pl HTTP/1.1\r\nHost: one.test\r\nContent-Length: $_\r\n\r\n" . pattern($_)}
        5, 30000, 0, 70000);
    is($stream->response->{body}, digest($_), "... with a body of $_ bytes") for 5, 30000, 0, 70000;
    $stream->send("GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n");
    is($stream->response->{code}, 200, 'Connection: close is answered');
    is($stream->ended(10 * slow()), 'closed', '... and done');
    return;
}

sub heads_and_ranges {
    my ($client) = @_;
    my $stream = $client->tls('one.test');
    my $ask = sub {
        my ($method, $path, @headers) = @_;
        $stream->send(join "\r\n", "$method $path HTTP/1.1", 'Host: one.test', @headers, '', '');
        return $method eq 'HEAD' ? $stream->read_until(qr/\r\n\r\n/) : $stream->response;
    };
    for my $way (qw(mmap read)) {
        my $head = $ask->('HEAD', "/$way/1000003");
        like($head, qr/^Content-Length: 1000003\r$/m, "HEAD tells the length ($way)");
        my ($etag) = $head =~ /^ETag: (.*)\r$/m;
        my $same = $ask->('GET', "/$way/1000003", "If-None-Match: $etag");
        is($same->{code}, 304, '... If-None-Match sends nothing');
        my $part = $ask->('GET', "/$way/1000003", 'Range: bytes=16380-900000');
        is($part->{code}, 206, '... a range');
        ok($part->{body} eq substr(pattern(1000003), 16380, 900000 - 16380 + 1), '... is that part');
        my $parts = $ask->('GET', "/$way/1000003", 'Range: bytes=0-0,4095-50000,-10');
        like($parts->{headers}{'content-type'}, qr{multipart/byteranges}, '... several ranges');
        my ($middle) = $parts->{body} =~ m{bytes 4095-50000/1000003\r\n\r\n(.{45906})\r\n--}s;
        ok(defined $middle && $middle eq substr(pattern(1000003), 4095, 45906), '... are those parts');
    }
    is($ask->('GET', '/')->{body}, "this is one.test\n", '... and the connection is still good');
    my $all = 0;
    for (1 .. 300) { my $r = $ask->('GET', '/'); $all++ if $r && $r->{body} eq "this is one.test\n" }
    is($all, 300, '300 requests on one connection');
    return;
}

# What a program has flushed arrives, even if nothing follows.
sub piecewise {
    my ($httpd, $client) = @_;
    my $stream = $client->tls('one.test');
    $stream->send("GET /cgi-bin/steps.pl?way,4 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    for my $step (1 .. 4) {
        ok($stream->read_until(qr/step $step\n/), "piece $step arrives while the program waits");
        spew($httpd->root . "/work/way.$step", '');
    }
    ok($stream->read_until(qr/\r\n0\r\n\r\n/), '... and the end');
    # A silent program: its client leaves, and the server notices nothing worse than that.
    $stream->send("GET /cgi-bin/steps.pl?silent,2 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    ok($stream->read_until(qr/step 1\n/), 'a program falls silent');
    $stream->close;
    spew($httpd->root . '/work/silent.1', '');
    ok($httpd->wait_for_access(qr/steps\.pl\?silent/), '... its client leaves, its request ends');
    return;
}

# A response that breaks off does not look like a whole one.
sub broken_off {
    my ($httpd, $client) = @_;
    my $r = $client->curl('https://one.test/cgi-bin/bytes.pl?3000000,length=5000000', args => ['-H', 'Connection: close']);
    is($r->{status}, 18, 'a program that sends less than it promised: the client learns it');
    my $size  = 24 << 20;
    my $path  = $httpd->file('docs/files/shrinks', pattern($size));
    my $relay = SL::Relay->new(to => $client->{port});
    my $file  = SL::Client->new(port => $relay->port)->tls('one.test', timeout => 30, args => ['-msg']);
    $file->send("GET /mmap/1 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    ok($file->read_until(qr/\r\n\r\nx/), 'a client');
    $relay->hold;
    $file->send("GET /read/shrinks HTTP/1.1\r\nHost: one.test\r\n\r\n");
    my $server = $httpd->pid;
    ok(wait_until(sub { grep { grep { (readlink || '') eq $path } glob "/proc/$_/fd/*" } $httpd->children }, 10 * slow()),
        '... fetches a file');
    truncate $path, 8 << 20;
    $relay->release;
    my $rest = $file->read_to_end(30);
    ok(defined $rest, 'the file shrinks meanwhile: the connection ends');
    my ($alerts) = scalar grep { $_->{type} == 21 } $relay->records(1, 'down');
    cmp_ok(length $relay->bytes(1, 'down'), '<', $size, '... before the length that was promised');
    is($client->curl('https://one.test/')->{code}, 200, '... others are served');
    $relay->stop;
    return;
}

for my $mpm (qw(event worker prefork)) {
    my ($httpd, $client) = start($mpm);
    my $everything = $mpm eq 'event';
    my $port = $httpd->port('https');
    subtest "$mpm: downloads", sub { downloads($client, $everything ? @files : $files[1]) };
    subtest "$mpm: uploads",   sub { uploads($httpd, $client) } if $everything;
    subtest "$mpm: big",       sub { big_bodies($httpd, $client) } if $everything;
    subtest "$mpm: Expect",        sub { expect_continue($client) };
    subtest "$mpm: slow writers",  sub { slow_writers($client, $port) };
    subtest "$mpm: slow reader",   sub { slow_reader($httpd, $client, $port) };
    subtest "$mpm: pipelined",     sub { pipelined($client) };
    subtest "$mpm: HEAD, ranges",  sub { heads_and_ranges($client) };
    subtest "$mpm: piece by piece", sub { piecewise($httpd, $client) };
    subtest "$mpm: broken off",    sub { broken_off($httpd, $client) } if $everything;
    $httpd->stop;
}
done_testing;
